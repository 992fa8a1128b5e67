-- why: a join table without a unique key on the pair

BEGIN;

SELECT '' AS isolation, '' AS slot FROM `groups` AS s WHERE (s.`id`) IN ((?), (?)) ORDER BY s.`id` FOR UPDATE;
-- 1 = 2
-- 2 = 3

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM `users` AS s WHERE s.`id` = r.k2 LOCK IN SHARE MODE) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM `groups` AS s WHERE s.`id` = r.k1 LOCK IN SHARE MODE) THEN 't' WHEN EXISTS (SELECT 1 FROM `user_rooms` AS j WHERE j.`group_id` = r.k1 AND j.`user_id` = r.k2 FOR UPDATE) THEN 'e' ELSE 'n' END AS s FROM (SELECT 1 AS n, CAST(? AS UNSIGNED) AS k1, CAST(? AS UNSIGNED) AS k2 UNION ALL SELECT 2, CAST(? AS UNSIGNED), CAST(? AS UNSIGNED)) AS r) AS f WHERE s <> 'e';
-- 1 = 2
-- 2 = 1
-- 3 = 3
-- 4 = 1

INSERT INTO `user_rooms` (`group_id`, `user_id`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `group_id` = `user_rooms`.`group_id`;
-- 1 = 2
-- 2 = 1

COMMIT;
