-- why: a group by its unique name, with values for the join row

BEGIN;

SELECT r.n AS m2m_n, 'e' AS m2m_s, t.`id`, t.`name` FROM (SELECT 1 AS n, CONVERT(? USING utf8mb4) COLLATE utf8mb4_general_ci AS k1) AS r JOIN `groups` AS t ON t.`name` = r.k1 ORDER BY r.n;
-- 1 = go

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM `users` AS s WHERE s.`id` = r.k1) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM `groups` AS s WHERE s.`id` = r.k2) THEN 't' WHEN EXISTS (SELECT 1 FROM `memberships` AS j WHERE j.`user_id` = r.k1 AND j.`group_id` = r.k2 AND j.`deleted_at` IS NULL) THEN 'e' WHEN EXISTS (SELECT 1 FROM `memberships` AS j WHERE j.`user_id` = r.k1 AND j.`group_id` = r.k2) THEN 'd' ELSE 'n' END AS s FROM (SELECT 1 AS n, CAST(? AS UNSIGNED) AS k1, CAST(? AS UNSIGNED) AS k2) AS r) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 7

INSERT INTO `memberships` (`user_id`, `group_id`, `deleted_at`, `role`) VALUES (?, ?, ?, ?);
-- 1 = 1
-- 2 = 7
-- 3 = <nil>
-- 4 = admin

COMMIT;
