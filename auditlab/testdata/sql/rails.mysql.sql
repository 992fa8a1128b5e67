-- What ActiveRecord 6.1.7 sends, logged, for
--   create_table for assemblies, parts, physicians, patients, users and roles
--   create_join_table :assemblies, :parts
--   create_table(:appointments) { |t| t.belongs_to :physician, foreign_key: true; t.belongs_to :patient, foreign_key: true; t.datetime :appointment_date; t.timestamps }
--   create_join_table(:users, :roles) { |t| t.index [:user_id, :role_id], unique: true; t.index :role_id }, and add_foreign_key for both

CREATE TABLE `assemblies` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `name` varchar(255), `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL);
CREATE TABLE `parts` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `number` varchar(255), `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL);
CREATE TABLE `assemblies_parts` (`assembly_id` bigint NOT NULL, `part_id` bigint NOT NULL);
CREATE TABLE `physicians` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `name` varchar(255), `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL);
CREATE TABLE `patients` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `name` varchar(255), `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL);
CREATE TABLE `appointments` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `physician_id` bigint, `patient_id` bigint, `appointment_date` datetime, `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL, INDEX `index_appointments_on_physician_id` (`physician_id`), INDEX `index_appointments_on_patient_id` (`patient_id`), CONSTRAINT `fk_rails_9c57b861f7` FOREIGN KEY (`physician_id`) REFERENCES `physicians` (`id`), CONSTRAINT `fk_rails_c63da04ab4` FOREIGN KEY (`patient_id`) REFERENCES `patients` (`id`));
CREATE TABLE `users` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `name` varchar(255));
CREATE TABLE `roles` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `name` varchar(255));
CREATE TABLE `roles_users` (`user_id` bigint NOT NULL, `role_id` bigint NOT NULL, UNIQUE INDEX `index_roles_users_on_user_id_and_role_id` (`user_id`, `role_id`), INDEX `index_roles_users_on_role_id` (`role_id`));
ALTER TABLE `roles_users` ADD CONSTRAINT `fk_rails_e2a7142459` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`);
ALTER TABLE `roles_users` ADD CONSTRAINT `fk_rails_9dada905f6` FOREIGN KEY (`role_id`) REFERENCES `roles` (`id`);
