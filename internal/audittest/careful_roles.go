package audittest

import "github.com/m2msafe/m2msafe/audit"

// thirdParties are tables of a third thing that a row may be about.
var thirdParties = []string{
	"CREATE TABLE projects (id integer PRIMARY KEY)", "CREATE TABLE plans (id integer PRIMARY KEY)",
	"INSERT INTO projects VALUES (1), (2)", "INSERT INTO plans VALUES (1), (2)",
}

// tenants are ends whose rows are told apart by their tenant too.
var tenants = []string{
	"CREATE TABLE users (tenant_id integer NOT NULL, id integer NOT NULL, PRIMARY KEY (tenant_id, id))",
	"CREATE TABLE groups (tenant_id integer NOT NULL, id integer NOT NULL, PRIMARY KEY (tenant_id, id))",
	"INSERT INTO users VALUES (1, 1), (2, 1)", "INSERT INTO groups VALUES (1, 1), (2, 1)",
	"CREATE TABLE user_groups (tenant_id integer NOT NULL, user_id integer NOT NULL, group_id integer NOT NULL)",
}

// carefulRoles are about rows of one pair that stand for one thing each, and about keys
// that say so.
var carefulRoles = []careful{
	{
		name: "a third table, by name", ends: thirdParties,
		made: []string{"CREATE TABLE users (id integer PRIMARY KEY)", "INSERT INTO users VALUES (1)",
			"CREATE TABLE user_project_plans (id integer PRIMARY KEY, " + fk("user_id", "users") + ", " + fk("project_id", "projects") + ", " + fk("plan_id", "plans") + ", created_at timestamp NULL)",
			"CREATE INDEX by_project ON user_project_plans (project_id)", "INSERT INTO user_project_plans VALUES (1, 1, 1, 1, NULL), (2, 1, 1, 2, NULL)"},
		opts: audit.Options{Tables: []string{"user_project_plans"}}, says: "By plan_id rows of one pair may",
		want: []string{"duplicate-pairs user_id,project_id", "no-unique-key user_id,project_id"},
		fits: "INSERT INTO user_project_plans VALUES (3, 1, 2, 1, NULL)",
	}, {
		name: "tenants", ends: tenants,
		made: []string{"CREATE INDEX by_user ON user_groups (user_id)", back, "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)"},
		want: []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id"},
		says: "differ in tenant_id", fits: "INSERT INTO user_groups VALUES (2, 1, 1)",
	}, {
		name: "tenants, one of whom has a pair twice", ends: tenants,
		made: []string{"CREATE INDEX by_user ON user_groups (user_id)", back, "INSERT INTO user_groups VALUES (1, 1, 1), (1, 1, 1)"},
		want: []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id"},
		says: "the key of users is (tenant_id, id)", fits: "INSERT INTO user_groups VALUES (2, 1, 1)",
	}, {
		name: "tenants, of whom one has links", ends: tenants,
		made: []string{"CREATE INDEX by_user ON user_groups (user_id)", back, "INSERT INTO user_groups VALUES (1, 1, 1)"},
		want: []string{"no-unique-key user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id"},
		says: "the key of users is (tenant_id, id)", fits: "INSERT INTO user_groups VALUES (2, 1, 1)",
	}, {
		name: "roles of one pair",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", role varchar(9) NOT NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 'admin'), (2, 1, 1, 'owner')"},
		want: twice, says: "Rows of 1 pair differ in role.",
	}, {
		name: "actions of one pair",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", action varchar(9) NOT NULL, created_at timestamp NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 'join', NULL), (2, 1, 1, 'leave', NULL)"},
		want: twice, says: "Rows of 1 pair differ in action.",
	}, {
		name: "a role, and no pair with two yet",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", role varchar(9) NOT NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 'admin'), (2, 2, 1, 'owner')"},
		want: twice[1:], says: "After the fix rows of one pair that differ in role can't stand beside each other",
	}, {
		name: "a primary key on one end", ends: thirdParties,
		made: []string{"CREATE TABLE users (id integer PRIMARY KEY)", "INSERT INTO users VALUES (1), (2)",
			"CREATE TABLE user_plans (user_id integer NOT NULL PRIMARY KEY REFERENCES users (id), " + fk("plan_id", "plans") + ")",
			"CREATE INDEX by_plan ON user_plans (plan_id)", "INSERT INTO user_plans VALUES (1, 1), (2, 1)"},
		opts: Given("user_plans", []string{"user_id", "users", "id"}, []string{"plan_id", "plans", "id"}),
		want: []string{"copied-unique-key user_id"}, says: "It is the primary key", refused: "INSERT INTO user_plans VALUES (1, 2)",
	}, {
		name: "a primary key on the other end", ends: thirdParties, on: partial,
		made: []string{"CREATE TABLE users (id integer PRIMARY KEY)", "INSERT INTO users VALUES (1), (2)",
			"CREATE TABLE user_plans (" + fk("user_id", "users") + ", plan_id integer NOT NULL PRIMARY KEY REFERENCES plans (id))", "INSERT INTO user_plans VALUES (1, 1), (1, 2)"},
		opts: Given("user_plans", []string{"user_id", "users", "id"}, []string{"plan_id", "plans", "id"}),
		want: []string{"copied-unique-key plan_id", "no-reverse-index user_id"}, says: "It is the primary key", refused: "INSERT INTO user_plans VALUES (2, 1)",
		left: []string{"copied-unique-key plan_id"},
	}, {
		name: "a deferrable primary key that deleted rows take too", on: postgres,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted_at timestamp NULL, PRIMARY KEY (user_id, group_id) DEFERRABLE)", back},
		want: []string{"deferrable-unique-key user_id,group_id"}, says: "After the fix the table has no primary key",
		fits: "INSERT INTO user_groups VALUES (1, 1, '2024-01-02 03:04:05'), (1, 1, NULL)",
	},
}
