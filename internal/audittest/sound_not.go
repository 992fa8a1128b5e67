package audittest

// soundNot are schemas with tables that look like join tables and are none, or that keep
// pairs apart in a way of their own.
var soundNot = []sound{
	{
		name: "a reference to what is elsewhere",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "INSERT INTO users VALUES (1), (2)",
			"CREATE TABLE user_devices (" + fk("user_id", "users") + ", device_id integer NOT NULL, PRIMARY KEY (user_id, device_id))",
			"CREATE TABLE user_sessions (id integer PRIMARY KEY, " + fk("user_id", "users") + ", session_id varchar(50) NOT NULL, created_at timestamp NULL)",
			"CREATE TABLE user_settings (user_id integer NOT NULL PRIMARY KEY REFERENCES users (id), setting_key varchar(50) NOT NULL)",
			"INSERT INTO user_devices VALUES (1, 1), (1, 77), (2, 78)",
		},
	}, {
		name: "a friend whose key is another's",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)",
			"CREATE TABLE user_friends (" + fk("user_id", "users") + ", friend_id varchar(36) NOT NULL, PRIMARY KEY (user_id, friend_id))",
		},
	}, {
		name: "one of two references",
		made: []string{
			"CREATE TABLE files (id integer PRIMARY KEY)", "CREATE TABLE posts (id integer PRIMARY KEY)", "CREATE TABLE comments (id integer PRIMARY KEY)",
			"CREATE TABLE attachments (id integer PRIMARY KEY, " + fk("file_id", "files") + ", post_id integer NULL REFERENCES posts (id), comment_id integer NULL REFERENCES comments (id), UNIQUE (file_id, post_id), UNIQUE (file_id, comment_id))",
		},
	}, {
		name: "a reference to one of several tables",
		made: []string{
			"CREATE TABLE items (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)", "INSERT INTO items VALUES (1)", "INSERT INTO groups VALUES (1)",
			"CREATE TABLE item_groups (" + fk("group_id", "groups") + ", item_id integer NOT NULL, item_type varchar(9) NOT NULL)",
			"INSERT INTO item_groups VALUES (1, 1, 'Item'), (1, 2, 'Video')",
		},
	}, {
		name: "a view at an end", // and a table that is called almost like it
		made: []string{
			"CREATE TABLE admin_users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)", "CREATE TABLE people (id integer PRIMARY KEY)", "CREATE VIEW users AS SELECT id FROM people",
			"CREATE TABLE user_groups (user_id integer NOT NULL, " + fk("group_id", "groups") + ", note varchar(9), PRIMARY KEY (user_id, group_id))",
		},
	}, {
		name: "what is kept of a join table",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE user_groups (" + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", PRIMARY KEY (user_id, group_id))", "CREATE INDEX g ON user_groups (group_id)",
			"CREATE TABLE user_groups_backup (id integer, user_id integer, group_id integer)", "CREATE TABLE user_groups_20240131 (user_id integer, group_id integer)",
			"CREATE TABLE old_user_groups (user_id integer, group_id integer)", "CREATE TABLE user_groups_log (id integer, user_id integer, group_id integer)",
		},
		tables: []string{"user_groups GORM user_id>users.id group_id>groups.id"},
	}, {
		name: "groups of a user in each tenant",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE user_groups (tenant_id integer NOT NULL, " + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", PRIMARY KEY (tenant_id, user_id, group_id))",
		},
	}, {
		name: "an end that comes with something else",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)", "CREATE TABLE realms (id integer PRIMARY KEY)",
			// Keycloak's, where the user is elsewhere.
			"CREATE TABLE fed_user_group_membership (" + fk("group_id", "groups") + ", member_id varchar(99) NOT NULL, " + fk("realm_id", "realms") + ", PRIMARY KEY (group_id, member_id))",
			"CREATE TABLE user_groups (device_id integer NOT NULL, " + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", PRIMARY KEY (device_id, user_id))",
			"CREATE TABLE staging_user_groups (user_id integer NOT NULL, group_id integer NOT NULL)",
			"CREATE TABLE pending_user_groups (user_id integer NOT NULL, group_id integer NOT NULL)",
		},
	}, {
		name: "one to many", // as Hibernate makes it
		made: []string{
			"CREATE TABLE person (id integer PRIMARY KEY)", "CREATE TABLE phone (id integer PRIMARY KEY)",
			"CREATE TABLE person_phone (" + fk("person_id", "person") + ", " + fk("phones_id", "phone") + ", PRIMARY KEY (person_id, phones_id), CONSTRAINT UK_9uhc5itwc9h5gcng944pcaslf UNIQUE (phones_id))",
		},
		tables: []string{"person_phone Hibernate person_id>person.id phones_id>phone.id"},
	}, {
		name: "a code that both an end and the link have, each its own",
		made: []string{
			"CREATE TABLE events (id integer PRIMARY KEY, code varchar(9) UNIQUE)", "CREATE TABLE users (id integer PRIMARY KEY)", "INSERT INTO events VALUES (1, 'x')", "INSERT INTO users VALUES (1)",
			"CREATE TABLE event_users (" + fk("event_id", "events") + ", " + fk("user_id", "users") + ", code varchar(9) NOT NULL UNIQUE, PRIMARY KEY (event_id, user_id))",
			"CREATE INDEX u ON event_users (user_id)", "INSERT INTO event_users VALUES (1, 1, 'ticket')",
		},
		tables: []string{"event_users GORM event_id>events.id user_id>users.id"},
	}, {
		name: "a deletion by a flag and a time", on: partial,
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE user_groups (" + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", is_deleted boolean NOT NULL, deleted_at timestamp NULL)", "CREATE INDEX g ON user_groups (group_id)",
			"CREATE UNIQUE INDEX pairs ON user_groups (user_id, group_id) WHERE NOT is_deleted AND deleted_at IS NULL",
			"CREATE TABLE user_buddies (" + fk("user_id", "users") + ", " + fk("buddy_id", "users") + ", is_deleted boolean NOT NULL, deleted_at timestamp NULL)", "CREATE INDEX b ON user_buddies (buddy_id)",
			"CREATE UNIQUE INDEX buddies ON user_buddies (user_id, buddy_id) WHERE NOT is_deleted",
		},
		tables: []string{"user_buddies foreign keys user_id>users.id buddy_id>users.id", "user_groups foreign keys user_id>users.id group_id>groups.id"},
	},
}
