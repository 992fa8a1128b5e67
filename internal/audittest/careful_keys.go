package audittest

import "github.com/m2msafe/m2msafe/audit"

// carefulKeys are about keys and values that say of a pair that it may come again, and
// about rows that no other should be mistaken for.
var carefulKeys = []careful{
	{
		name: "a key on the pair and an expression", on: partial,
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", label varchar(9))", back,
			"CREATE UNIQUE INDEX labels ON user_groups (user_id, group_id, lower(label))", "INSERT INTO user_groups VALUES (1, 1, 1, 'a'), (2, 1, 1, 'b')"},
		opts: named, want: twice, says: "with one label",
	}, {
		name: "a word for NULL", on: partial,
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", group_id integer NULL REFERENCES groups (id))", back,
			"CREATE UNIQUE INDEX pairs ON user_groups (user_id, coalesce(group_id, 0))", "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, NULL)"},
		want: []string{"expression-unique-key user_id,group_id"}, says: "pairs has a word for NULL in group_id", fits: "INSERT INTO user_groups VALUES (3, 2, NULL)",
	}, {
		name: "a key where there is no NULL, and one where there is", on: partial,
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", group_id integer NULL REFERENCES groups (id))", back,
			"CREATE UNIQUE INDEX pairs ON user_groups (user_id, group_id) WHERE group_id IS NOT NULL", "CREATE UNIQUE INDEX alls ON user_groups (user_id) WHERE group_id IS NULL",
			"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, NULL)"},
		want: []string{"partial-unique-key user_id,group_id"}, says: "pairs has a word for NULL in group_id", fits: "INSERT INTO user_groups VALUES (3, 2, NULL)",
	}, {
		name: "rows that a key of their own tells apart",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", ticket_code varchar(9) NOT NULL UNIQUE)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 'a'), (2, 1, 1, 'b')"},
		want: twice, says: "Rows of 1 pair differ in ticket_code.",
	}, {
		name: "rows that their primary key says something of",
		made: []string{"CREATE TABLE user_groups (ticket_code varchar(9) PRIMARY KEY, " + user + ", " + group + ")", back,
			"INSERT INTO user_groups VALUES ('a', 1, 1), ('b', 1, 1)"},
		want: twice, says: "Rows of 1 pair differ in ticket_code.",
	}, {
		name: "who has sold it",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", sold_by integer, created_by integer)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 1, 1), (2, 1, 1, 2, 2)"},
		want: twice, says: "Rows of 1 pair differ in sold_by.",
	}, {
		name: "when it was joined",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", joined_at timestamp NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, '2019-01-02 03:04:05'), (2, 1, 1, '2022-01-02 03:04:05')"},
		want: twice, says: "Rows of 1 pair differ in joined_at.",
	}, {
		name: "a time that is there, and one that is not",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", gone_at timestamp NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, '2024-01-02 03:04:05'), (2, 1, 1, NULL)"},
		want: twice, says: "Rows of 1 pair differ in gone_at.",
	}, {
		name: "events that have two ends",
		made: []string{"CREATE TABLE user_visits (id integer PRIMARY KEY, " + user + ", " + group + ")", "CREATE INDEX v ON user_visits (group_id)",
			"INSERT INTO user_visits VALUES (1, 1, 1), (2, 1, 1)"},
		want: twice, says: "By its name the table may hold events", fits: "INSERT INTO user_visits VALUES (3, 1, 1)",
	}, {
		name: "what may be for events, and has none",
		made: []string{"CREATE TABLE user_visits (" + user + ", " + group + ")", "CREATE INDEX v ON user_visits (group_id)", "CREATE INDEX u ON user_visits (user_id)"},
		want: twice[1:], says: "No row tells yet which it is", fits: "INSERT INTO user_visits VALUES (1, 1), (1, 1)",
	}, {
		name: "a value that stands for all",
		made: []string{"CREATE TABLE user_groups (" + bare + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (2, 1), (3, 1), (0, 2)"},
		want: []string{"dangling-links user_id", "no-foreign-key user_id", "no-foreign-key group_id"}, says: "stands 0, an empty text or the like", fits: "INSERT INTO user_groups VALUES (0, 3)",
	}, {
		name: "a value that stands for all, by models",
		made: []string{"CREATE TABLE user_groups (" + bare + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (2, 1), (3, 1), (0, 2)"},
		opts: known, want: []string{"dangling-links user_id", "no-foreign-key user_id", "no-foreign-key group_id"}, says: "stands 0, an empty text or the like", fits: "INSERT INTO user_groups VALUES (0, 3)",
	}, {
		name: "a name that is almost the table's",
		ends: []string{"CREATE TABLE shop_users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)", "INSERT INTO shop_users VALUES (1), (2), (3)", "INSERT INTO groups VALUES (1), (2)"},
		made: []string{"CREATE TABLE user_groups (user_id integer NOT NULL, " + group + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (2, 1), (3, 1), (77, 2)"},
		want: []string{"dangling-links user_id", "no-foreign-key user_id"}, says: "Nothing else tells to what user_id refers", fits: "INSERT INTO user_groups VALUES (78, 2)",
	}, {
		name: "a key that NULL in living rows goes past",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", deleted_at integer NULL, dead integer GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN NULL ELSE 1 END) STORED, note varchar(9), UNIQUE (user_id, group_id, dead))", back,
			"INSERT INTO user_groups (id, user_id, group_id, deleted_at, note) VALUES (1, 1, 1, NULL, 'a'), (2, 1, 1, NULL, 'b')"},
		want: []string{"duplicate-pairs user_id,group_id", "soft-delete-no-key user_id,group_id"}, says: "differ in note",
	}, {
		name: "rows that others refer to by name alone",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ")", back,
			"CREATE TABLE payments (id integer PRIMARY KEY, user_group_id integer, cents integer)",
			"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)", "INSERT INTO payments VALUES (1, 1, 5), (2, 2, 7)"},
		want: twice, says: "payments.user_group_id may refer to its rows, without a foreign key",
	}, {
		name: "rows that others refer to in a role",
		made: []string{"CREATE TABLE memberships (id integer PRIMARY KEY, " + user + ", " + group + ")", "CREATE INDEX m ON memberships (group_id)",
			"CREATE TABLE people (id integer PRIMARY KEY, primary_membership_id integer)",
			"INSERT INTO memberships VALUES (1, 1, 1), (2, 1, 1)", "INSERT INTO people VALUES (1, 1), (2, 2)"},
		want: twice, says: "people.primary_membership_id may refer to its rows",
	}, {
		name: "rows that others refer to by their type",
		made: []string{"CREATE TABLE memberships (id integer PRIMARY KEY, " + user + ", " + group + ")", "CREATE INDEX m ON memberships (group_id)",
			"CREATE TABLE comments (id integer PRIMARY KEY, commentable_id integer, commentable_type varchar(50))",
			"INSERT INTO memberships VALUES (1, 1, 1), (2, 1, 1)", "INSERT INTO comments VALUES (1, 1, 'Post'), (2, 2, 'App::Membership')"},
		want: twice, says: "comments.commentable_id may refer to its rows",
	}, {
		name: "rows that others refer to by a letter",
		made: []string{"CREATE TABLE memberships (id integer PRIMARY KEY, " + user + ", " + group + ")", "CREATE INDEX m ON memberships (group_id)",
			"CREATE TABLE owned (id integer PRIMARY KEY, owner_id integer, owner_type varchar(1))",
			"INSERT INTO memberships VALUES (1, 1, 1), (2, 1, 1)", "INSERT INTO owned VALUES (1, 2, 'M')"},
		want: twice, says: "owned.owner_id may refer to its rows",
	}, {
		name: "rows that others refer to by other spellings",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ")", back,
			"CREATE TABLE invoices (id integer PRIMARY KEY, usergroupid integer)", "INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)"},
		want: twice, says: "invoices.usergroupid may refer to its rows",
	}, {
		name: "rows that others refer to by the content type of Django",
		made: []string{"CREATE TABLE memberships (id integer PRIMARY KEY, " + user + ", " + group + ")", "CREATE INDEX m ON memberships (group_id)",
			"CREATE TABLE django_content_type (id integer PRIMARY KEY, app_label varchar(50), model varchar(50))", "INSERT INTO django_content_type VALUES (1, 'shop', 'membership'), (2, 'shop', 'order')",
			"CREATE TABLE notes (id integer PRIMARY KEY, object_id varchar(50), content_type_id integer REFERENCES django_content_type (id))",
			"INSERT INTO memberships VALUES (1, 1, 1), (2, 1, 1)", "INSERT INTO notes VALUES (1, '2', 1)"},
		want: twice, says: "notes.object_id may refer to its rows",
	}, {
		name: "a key that has something in the other's place",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", season integer NOT NULL, PRIMARY KEY (group_id, season))", forth,
			"INSERT INTO user_groups VALUES (1, 1, 1), (1, 1, 2)"},
		want: twice, says: "one end comes with several season", fits: "INSERT INTO user_groups VALUES (1, 1, 3)",
	}, {
		name: "rows that others list",
		made: []string{"CREATE TABLE memberships (id integer PRIMARY KEY, " + user + ", " + group + ")", "CREATE INDEX m ON memberships (group_id)",
			"CREATE TABLE teams (id integer PRIMARY KEY, membership_ids varchar(50))", "INSERT INTO memberships VALUES (1, 1, 1), (2, 1, 1)"},
		want: twice, says: "teams.membership_ids may refer to its rows",
	}, {
		name: "a type beside",
		ends: []string{"CREATE TABLE items (id integer PRIMARY KEY)", "CREATE TABLE tags (id integer PRIMARY KEY)", "INSERT INTO items VALUES (1), (2), (3)", "INSERT INTO tags VALUES (1), (2)"},
		made: []string{"CREATE TABLE item_tags (" + fk("tag_id", "tags") + ", item_id integer NOT NULL, type varchar(9) NOT NULL, PRIMARY KEY (tag_id, item_id))", "CREATE INDEX i ON item_tags (item_id)",
			"INSERT INTO item_tags VALUES (1, 1, 'item'), (1, 2, 'item'), (2, 77, 'article')"},
		want: []string{"dangling-links item_id", "no-foreign-key item_id"}, says: "Nothing else tells to what item_id refers", fits: "INSERT INTO item_tags VALUES (2, 78, 'article')",
	}, {
		name: "events by a column",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", action varchar(9) NOT NULL, created_at timestamp NULL)", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 'visit', NULL), (2, 1, 1, 'visit', NULL)"},
		want: twice, says: "the table may hold events",
	}, {
		name: "a number that is almost another's",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", share float, label varchar(9))", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 16777215, 'a'), (2, 1, 1, 16777212, 'a'), (3, 2, 1, 1, 'US'), (4, 2, 1, 1, 'us')"},
		want: twice, says: "differ in share, label",
	}, {
		name: "rows that others are kept by",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ")", back,
			"CREATE TABLE seats (id integer PRIMARY KEY, link_id integer NOT NULL REFERENCES user_groups (id))",
			"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)", "INSERT INTO seats VALUES (1, 1), (2, 2)"},
		want: twice, says: "that a row of seats refers to", removes: true,
	}, {
		name: "roles of a table that has its own",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", role varchar(9) NOT NULL, deleted_at timestamp NULL, PRIMARY KEY (user_id, group_id, role))", back,
			"INSERT INTO user_groups VALUES (1, 1, 'a', NULL), (1, 1, 'b', NULL)"},
		opts: audit.Options{Tables: []string{"user_groups"}}, want: []string{"duplicate-pairs user_id,group_id", "soft-delete-no-key user_id,group_id"}, says: "with several: then this is no fault",
	},
}
