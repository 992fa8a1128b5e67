package audittest

// softDefects are about rows that are deleted without going away.
var softDefects = []defect{
	{
		name: "soft deletion under a full key",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted_at timestamp NULL)", back,
			"CREATE UNIQUE INDEX pairs ON user_groups (user_id, group_id)",
			"INSERT INTO user_groups VALUES (1, 1, NULL), (1, 2, '2024-01-02 03:04:05')"},
		want: []string{"soft-delete-full-key user_id,group_id"}, rows: []int64{1},
	}, {
		name: "soft deletion under a primary key",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted_at timestamp NULL, PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1, NULL), (1, 2, '2024-01-02 03:04:05')"},
		want: []string{"soft-delete-full-key user_id,group_id"}, rows: []int64{1},
	}, {
		name: "soft deletion under a constraint",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted_at timestamp NULL, CONSTRAINT pairs UNIQUE (user_id, group_id))", back},
		want: []string{"soft-delete-full-key user_id,group_id"}, rows: []int64{0},
	}, {
		name: "soft deletion by a flag",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", is_deleted boolean NOT NULL DEFAULT false)", back,
			"CREATE UNIQUE INDEX pairs ON user_groups (user_id, group_id)",
			"INSERT INTO user_groups VALUES (1, 1, false), (1, 2, true)"},
		want: []string{"soft-delete-full-key user_id,group_id"}, rows: []int64{1},
	}, {
		name: "soft deletion without a key",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted_at timestamp NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, NULL), (1, 1, '2024-01-02 03:04:05'), (1, 1, '2024-01-02 03:04:05'), (1, 1, NULL), (1, 2, NULL)"},
		want: []string{"duplicate-pairs user_id,group_id", "soft-delete-no-key user_id,group_id"}, rows: []int64{1, 5},
	}, {
		name: "soft deletion with NULL in the key",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted_at timestamp NULL, UNIQUE (user_id, group_id, deleted_at))", back,
			"INSERT INTO user_groups VALUES (1, 1, NULL), (1, 1, NULL)"},
		want: []string{"duplicate-pairs user_id,group_id", "soft-delete-no-key user_id,group_id"}, rows: []int64{1, 2},
	}, {
		name: "soft deletion by a flag that may be NULL, without a key",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted boolean NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, NULL), (1, 1, false), (1, 1, true)"},
		want: []string{"duplicate-pairs user_id,group_id", "soft-delete-no-key user_id,group_id"}, rows: []int64{1, 3},
	}, {
		name: "a partial key that leaves out living rows whose flag is NULL", on: partial,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted boolean NULL)", back,
			"CREATE UNIQUE INDEX few ON user_groups (user_id, group_id) WHERE NOT deleted",
			"INSERT INTO user_groups VALUES (1, 1, NULL), (1, 1, NULL)"},
		want: []string{"duplicate-pairs user_id,group_id", "partial-unique-key user_id,group_id"}, rows: []int64{1, 2},
	}, {
		name: "a partial key of other than the living rows", on: partial,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", deleted_at timestamp NULL)", back,
			"CREATE UNIQUE INDEX few ON user_groups (user_id, group_id) WHERE deleted_at IS NOT NULL"},
		want: []string{"partial-unique-key user_id,group_id"}, rows: []int64{0},
	},
}

// keyDefects are about keys that are not the pair's, types and lookups.
var keyDefects = []defect{
	{
		name: "a key on one end, and none on the pair",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ")", "CREATE UNIQUE INDEX one ON user_groups (group_id)", forth,
			"INSERT INTO user_groups VALUES (1, 1), (1, 2)"},
		opts: known, want: []string{"copied-unique-key group_id"}, rows: []int64{anything},
	}, {
		name: "a key on one end, and one on the pair",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", PRIMARY KEY (user_id, group_id), UNIQUE (user_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (2, 1)"},
		opts: known, want: []string{"copied-unique-key user_id"}, rows: []int64{anything},
	}, {
		name: "the pair in two keys",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", UNIQUE (user_id), UNIQUE (group_id))",
			"INSERT INTO user_groups VALUES (1, 1), (2, 2)"},
		opts: known, want: []string{"copied-unique-key user_id", "copied-unique-key group_id"}, rows: []int64{anything, anything},
	}, {
		name: "a key on one end, called as GORM calls its copies",
		made: []string{"CREATE TABLE tags (id integer PRIMARY KEY, code varchar(9) NOT NULL UNIQUE)",
			"CREATE TABLE tag_users (tag_code varchar(9) NOT NULL REFERENCES tags (code), " + user + ", PRIMARY KEY (tag_code, user_id))",
			"CREATE UNIQUE INDEX uni_tag_users_tag_code ON tag_users (tag_code)", "CREATE INDEX by_user ON tag_users (user_id)"},
		want: []string{"copied-unique-key tag_code"}, rows: []int64{anything},
	}, {
		name: "a copied column, by models",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", email varchar(100) UNIQUE, PRIMARY KEY (user_id, group_id))", back},
		opts: known, want: []string{"copied-unique-key email"}, rows: []int64{anything},
	}, {
		name: "a copied column",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", email varchar(100), PRIMARY KEY (user_id, group_id))", back,
			"CREATE UNIQUE INDEX emails ON user_groups (email)", "INSERT INTO user_groups VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 1, NULL)"},
		want: []string{"copied-unique-key email"}, rows: []int64{anything}, left: []string{"copied-unique-key email"},
	}, {
		name: "types",
		made: []string{"CREATE TABLE user_groups (user_id varchar(20) NOT NULL, " + group + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES ('1', 1), ('2', 1), ('9', 1)"},
		want: []string{"dangling-links user_id", "key-types-differ user_id", "no-foreign-key user_id"}, rows: []int64{1, 3, 3},
	}, {
		name: "a type that is too small", on: postgres,
		made: []string{"CREATE TABLE user_groups (user_id smallint NOT NULL REFERENCES users (id), " + group + ", PRIMARY KEY (user_id, group_id))", back},
		want: []string{"key-types-differ user_id"}, rows: []int64{anything},
	}, {
		name: "a type that is too large", on: postgres,
		made: []string{"CREATE TABLE user_groups (user_id bigint NOT NULL REFERENCES users (id), " + group + ", PRIMARY KEY (user_id, group_id))", back},
		want: []string{"key-types-differ user_id"}, rows: []int64{anything},
	}, {
		name: "a sign", on: []string{"mysql"},
		made: []string{"CREATE TABLE user_groups (user_id integer unsigned NOT NULL DEFAULT 7 COMMENT 'it''s', " + group + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1)"},
		want: []string{"key-types-differ user_id", "no-foreign-key user_id"}, rows: []int64{1, 1},
	}, {
		name: "a collation", on: []string{"mysql"},
		made: []string{"ALTER TABLE users MODIFY email varchar(100) NOT NULL COLLATE utf8mb4_bin",
			"CREATE TABLE user_groups (user_email varchar(100) COLLATE utf8mb4_general_ci NOT NULL, " + group + ", PRIMARY KEY (user_email, group_id))", back,
			"INSERT INTO user_groups VALUES ('a', 1), ('A', 2)"},
		opts: Given("user_groups", []string{"user_email", "users", "email"}, []string{"group_id", "groups", "id"}),
		want: []string{"dangling-links user_email", "key-types-differ user_email", "no-foreign-key user_email"}, rows: []int64{1, 2, 2},
	}, {
		name: "a lookup",
		made: []string{"CREATE TABLE tags (id integer PRIMARY KEY, name varchar(100) NOT NULL)", "INSERT INTO tags VALUES (1, 'a'), (2, 'b')"},
		opts: Lookup("tags.name"),
		want: []string{"lookup-column-not-unique name"}, rows: []int64{2},
	}, {
		name: "a lookup by two columns of living rows",
		made: []string{"CREATE TABLE tags (id integer PRIMARY KEY, tenant integer NOT NULL, name varchar(100) NOT NULL, deleted_at timestamp NULL)",
			"INSERT INTO tags VALUES (1, 1, 'a', NULL), (2, 2, 'a', NULL), (3, 1, 'a', '2024-01-02 03:04:05')"},
		opts: Lookup("tags.tenant,name"),
		want: []string{"lookup-column-not-unique tenant,name"}, rows: []int64{3},
	},
}
