-- why: links by keys alone

BEGIN;

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM `users` AS s WHERE s.`id` = r.k1) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM `groups` AS s WHERE s.`id` = r.k2) THEN 't' WHEN EXISTS (SELECT 1 FROM `user_rooms` AS j WHERE j.`user_id` = r.k1 AND j.`group_id` = r.k2) THEN 'e' ELSE 'n' END AS s FROM (SELECT 1 AS n, CAST(? AS UNSIGNED) AS k1, CAST(? AS UNSIGNED) AS k2 UNION ALL SELECT 2, CAST(? AS UNSIGNED), CAST(? AS UNSIGNED)) AS r) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 2
-- 3 = 2
-- 4 = 2

INSERT INTO `user_rooms` (`user_id`, `group_id`) VALUES (?, ?);
-- 1 = 1
-- 2 = 2

COMMIT;
