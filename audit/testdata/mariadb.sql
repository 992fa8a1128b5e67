-- Written by TestStatementsOfTheFamily -update.
SET STATEMENT optimizer_switch = 'subquery_cache=off', sql_mode = '' FOR CREATE TABLE `m2msafe_removed_user_groups` (`m2msafe_removed` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, KEY (`user_id`, `group_id`, `note`(48), `deleted_at`)) AS SELECT j.`user_id`, j.`group_id`, j.`note`, j.`deleted_at` FROM `user_groups` AS j WHERE NOT (j.`user_id` IS NULL) AND NOT EXISTS (SELECT 1 FROM `users` AS e WHERE (e.`id` = j.`user_id` OR CONVERT(e.`id` USING utf8mb4) COLLATE utf8mb4_general_ci IN (TRIM(CONVERT(j.`user_id` USING utf8mb4)) COLLATE utf8mb4_general_ci, TRIM(LEADING '0' FROM TRIM(CONVERT(j.`user_id` USING utf8mb4)) COLLATE utf8mb4_general_ci))));
SET STATEMENT optimizer_switch = 'subquery_cache=off', sql_mode = '' FOR DELETE j FROM `user_groups` AS j JOIN `m2msafe_removed_user_groups` AS r ON j.`user_id` <=> r.`user_id` AND j.`group_id` <=> r.`group_id` AND j.`note` <=> r.`note` AND j.`deleted_at` <=> r.`deleted_at` WHERE NOT (j.`user_id` IS NULL) AND NOT EXISTS (SELECT 1 FROM `users` AS e WHERE (e.`id` = j.`user_id` OR CONVERT(e.`id` USING utf8mb4) COLLATE utf8mb4_general_ci IN (TRIM(CONVERT(j.`user_id` USING utf8mb4)) COLLATE utf8mb4_general_ci, TRIM(LEADING '0' FROM TRIM(CONVERT(j.`user_id` USING utf8mb4)) COLLATE utf8mb4_general_ci))));
DELETE r FROM `m2msafe_removed_user_groups` AS r JOIN `user_groups` AS j ON j.`user_id` <=> r.`user_id` AND j.`group_id` <=> r.`group_id` AND j.`note` <=> r.`note` AND j.`deleted_at` <=> r.`deleted_at`;
ALTER TABLE `user_groups` ADD COLUMN `m2msafe_row` BIGINT UNSIGNED NOT NULL INVISIBLE AUTO_INCREMENT, ADD INDEX (`m2msafe_row`);
CREATE TABLE `m2msafe_removed_user_groups_2` (`m2msafe_removed` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, KEY (`m2msafe_row`)) AS SELECT j.`m2msafe_row`, j.`user_id`, j.`group_id`, j.`note`, j.`deleted_at` FROM `user_groups` AS j WHERE (`m2msafe_row`) IN (SELECT m2msafe_1 FROM (SELECT `m2msafe_row` AS m2msafe_1, row_number() OVER (PARTITION BY `user_id`, `group_id`, CAST(`note` AS BINARY) ORDER BY `m2msafe_row`) AS m2msafe_n FROM `user_groups` AS i WHERE NOT (`user_id` IS NULL OR `group_id` IS NULL) AND `deleted_at` IS NULL) AS d WHERE m2msafe_n > 1);
DELETE j FROM `user_groups` AS j JOIN `m2msafe_removed_user_groups_2` AS r ON j.`m2msafe_row` <=> r.`m2msafe_row` AND j.`user_id` <=> r.`user_id` AND j.`group_id` <=> r.`group_id` AND j.`note` <=> r.`note` AND j.`deleted_at` <=> r.`deleted_at` JOIN (SELECT DISTINCT s.`user_id`, s.`group_id`, CAST(s.`note` AS BINARY) AS m2msafe_1 FROM `user_groups` AS s LEFT JOIN `m2msafe_removed_user_groups_2` AS g ON g.`m2msafe_row` <=> s.`m2msafe_row` WHERE g.`m2msafe_row` IS NULL AND s.`deleted_at` IS NULL) AS s ON s.`user_id` = j.`user_id` AND s.`group_id` = j.`group_id` AND s.m2msafe_1 <=> CAST(j.`note` AS BINARY);
DELETE r FROM `m2msafe_removed_user_groups_2` AS r JOIN `user_groups` AS j ON j.`m2msafe_row` <=> r.`m2msafe_row`;
ALTER TABLE `user_groups` DROP COLUMN `m2msafe_row`;
SET STATEMENT sql_mode = 'STRICT_ALL_TABLES' FOR ALTER TABLE `user_groups` MODIFY COLUMN `user_id` int NULL;
SET STATEMENT sql_mode = 'STRICT_ALL_TABLES' FOR ALTER TABLE `user_groups` MODIFY COLUMN `user_id` int NOT NULL;
ALTER TABLE `user_groups` ADD COLUMN `m2msafe_living` TINYINT GENERATED ALWAYS AS (CASE WHEN `deleted_at` IS NULL THEN 1 END) VIRTUAL, ADD UNIQUE INDEX `uq_user_groups_user_id_group_id` (`user_id`, `group_id`, `m2msafe_living`);
ALTER TABLE `user_groups` DROP INDEX `one`;
ALTER TABLE `user_groups` ADD CONSTRAINT `fk_user_groups_user_id_users` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE;
ALTER TABLE `user_groups` ADD INDEX `idx_user_groups_group_id` (`group_id`);

-- and back
ALTER TABLE `user_groups` DROP INDEX IF EXISTS `idx_user_groups_group_id`;
ALTER TABLE `user_groups` DROP FOREIGN KEY IF EXISTS `fk_user_groups_user_id_users`;
ALTER TABLE `user_groups` ADD UNIQUE INDEX IF NOT EXISTS `one` (`user_id`);
ALTER TABLE `user_groups` DROP INDEX IF EXISTS `uq_user_groups_user_id_group_id`, DROP COLUMN IF EXISTS `m2msafe_living`;
SET @m2msafe_undo = IF(EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = database() AND table_name = 'user_groups' AND column_name = 'user_id' AND is_nullable = 'NO'), 'ALTER TABLE `user_groups` MODIFY COLUMN `user_id` int NULL', 'DO 0');
PREPARE m2msafe_undo FROM @m2msafe_undo;
EXECUTE m2msafe_undo;
SET STATEMENT sql_mode = 'STRICT_ALL_TABLES' FOR ALTER TABLE `user_groups` MODIFY COLUMN `user_id` varchar(20) COLLATE utf8mb4_general_ci NULL;
CREATE TABLE IF NOT EXISTS `m2msafe_removed_user_groups_2` (`m2msafe_removed` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, KEY (`m2msafe_row`)) AS SELECT CAST(0 AS UNSIGNED) AS `m2msafe_row`, `user_id`, `group_id`, `note`, `deleted_at` FROM `user_groups` WHERE FALSE;
ALTER TABLE `user_groups` ADD COLUMN IF NOT EXISTS `m2msafe_row` BIGINT UNSIGNED NULL INVISIBLE;
DELETE r FROM `m2msafe_removed_user_groups_2` AS r JOIN `user_groups` AS j ON j.`m2msafe_row` <=> r.`m2msafe_row` AND j.`user_id` <=> r.`user_id` AND j.`group_id` <=> r.`group_id` AND j.`note` <=> r.`note` AND j.`deleted_at` <=> r.`deleted_at`;
INSERT INTO `user_groups` (`user_id`, `group_id`, `note`, `deleted_at`) SELECT `user_id`, `group_id`, `note`, `deleted_at` FROM `m2msafe_removed_user_groups_2`;
ALTER TABLE `user_groups` DROP COLUMN IF EXISTS `m2msafe_row`;
DROP TABLE `m2msafe_removed_user_groups_2`;
SET SESSION foreign_key_checks = 0;
CREATE TABLE IF NOT EXISTS `m2msafe_removed_user_groups` (`m2msafe_removed` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, KEY (`user_id`, `group_id`, `note`(48), `deleted_at`)) AS SELECT `user_id`, `group_id`, `note`, `deleted_at` FROM `user_groups` WHERE FALSE;
DELETE r FROM `m2msafe_removed_user_groups` AS r JOIN `user_groups` AS j ON j.`user_id` <=> r.`user_id` AND j.`group_id` <=> r.`group_id` AND j.`note` <=> r.`note` AND j.`deleted_at` <=> r.`deleted_at`;
INSERT INTO `user_groups` (`user_id`, `group_id`, `note`, `deleted_at`) SELECT `user_id`, `group_id`, `note`, `deleted_at` FROM `m2msafe_removed_user_groups`;
DROP TABLE `m2msafe_removed_user_groups`;
SET SESSION foreign_key_checks = 1;
