-- What ActiveRecord 6.1.7 sends, logged, for
--   create_table for assemblies, parts, physicians, patients, users and roles
--   create_join_table :assemblies, :parts
--   create_table(:appointments) { |t| t.belongs_to :physician, foreign_key: true; t.belongs_to :patient, foreign_key: true; t.datetime :appointment_date; t.timestamps }
--   create_join_table(:users, :roles) { |t| t.index [:user_id, :role_id], unique: true; t.index :role_id }, and add_foreign_key for both

CREATE TABLE "assemblies" ("id" bigserial primary key, "name" character varying, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
CREATE TABLE "parts" ("id" bigserial primary key, "number" character varying, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
CREATE TABLE "assemblies_parts" ("assembly_id" bigint NOT NULL, "part_id" bigint NOT NULL);
CREATE TABLE "physicians" ("id" bigserial primary key, "name" character varying, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
CREATE TABLE "patients" ("id" bigserial primary key, "name" character varying, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
CREATE TABLE "appointments" ("id" bigserial primary key, "physician_id" bigint, "patient_id" bigint, "appointment_date" timestamp, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL, CONSTRAINT "fk_rails_9c57b861f7" FOREIGN KEY ("physician_id") REFERENCES "physicians" ("id"), CONSTRAINT "fk_rails_c63da04ab4" FOREIGN KEY ("patient_id") REFERENCES "patients" ("id"));
CREATE INDEX "index_appointments_on_physician_id" ON "appointments" ("physician_id");
CREATE INDEX "index_appointments_on_patient_id" ON "appointments" ("patient_id");
CREATE TABLE "users" ("id" bigserial primary key, "name" character varying);
CREATE TABLE "roles" ("id" bigserial primary key, "name" character varying);
CREATE TABLE "roles_users" ("user_id" bigint NOT NULL, "role_id" bigint NOT NULL);
CREATE UNIQUE INDEX "index_roles_users_on_user_id_and_role_id" ON "roles_users" ("user_id", "role_id");
CREATE INDEX "index_roles_users_on_role_id" ON "roles_users" ("role_id");
ALTER TABLE "roles_users" ADD CONSTRAINT "fk_rails_e2a7142459" FOREIGN KEY ("user_id") REFERENCES "users" ("id");
ALTER TABLE "roles_users" ADD CONSTRAINT "fk_rails_9dada905f6" FOREIGN KEY ("role_id") REFERENCES "roles" ("id");
