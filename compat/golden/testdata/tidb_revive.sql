-- why: a link that is soft-deleted

BEGIN;

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM `users` AS s WHERE s.`id` = r.k1) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM `groups` AS s WHERE s.`id` = r.k2) THEN 't' WHEN EXISTS (SELECT 1 FROM `memberships` AS j WHERE j.`user_id` = r.k1 AND j.`group_id` = r.k2 AND j.`deleted_at` IS NULL) THEN 'e' WHEN EXISTS (SELECT 1 FROM `memberships` AS j WHERE j.`user_id` = r.k1 AND j.`group_id` = r.k2) THEN 'd' ELSE 'n' END AS s FROM (SELECT 1 AS n, CAST(? AS UNSIGNED) AS k1, CAST(? AS UNSIGNED) AS k2) AS r) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 2

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM `users` AS s WHERE s.`id` = r.k1 FOR UPDATE) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM `groups` AS s WHERE s.`id` = r.k2 FOR UPDATE) THEN 't' WHEN EXISTS (SELECT 1 FROM `memberships` AS j WHERE j.`user_id` = r.k1 AND j.`group_id` = r.k2 AND j.`deleted_at` IS NULL FOR UPDATE) THEN 'e' WHEN EXISTS (SELECT 1 FROM `memberships` AS j WHERE j.`user_id` = r.k1 AND j.`group_id` = r.k2 FOR UPDATE) THEN 'd' ELSE 'n' END AS s FROM (SELECT 1 AS n, CAST(? AS UNSIGNED) AS k1, CAST(? AS UNSIGNED) AS k2) AS r) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 2

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM `users` AS s WHERE s.`id` = r.k1) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM `groups` AS s WHERE s.`id` = r.k2) THEN 't' WHEN EXISTS (SELECT 1 FROM `memberships` AS j WHERE j.`user_id` = r.k1 AND j.`group_id` = r.k2 AND j.`deleted_at` IS NULL) THEN 'e' ELSE 'n' END AS s FROM (SELECT 1 AS n, CAST(? AS UNSIGNED) AS k1, CAST(? AS UNSIGNED) AS k2) AS r) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 2

COMMIT;
