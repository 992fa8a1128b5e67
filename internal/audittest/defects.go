package audittest

import (
	"slices"
	"testing"

	"github.com/m2msafe/m2msafe/audit"
)

// ends are the tables that the join tables of these tests refer to.
var ends = []string{
	"CREATE TABLE users (id integer PRIMARY KEY, email varchar(100) UNIQUE)",
	"CREATE TABLE groups (id integer PRIMARY KEY, name varchar(100))",
	"INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c')",
	"INSERT INTO groups VALUES (1, 'x'), (2, 'y'), (3, 'z')",
}

const (
	user  = "user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE"
	group = "group_id integer NOT NULL REFERENCES groups (id) ON DELETE CASCADE"
	back  = "CREATE INDEX by_group ON user_groups (group_id)"
	forth = "CREATE INDEX by_user ON user_groups (user_id)"
	// notNull is a pair without foreign keys.
	notNull = "user_id integer NOT NULL, group_id integer NOT NULL"
)

// defect is a schema with something wrong in it.
type defect struct {
	name string
	on   []string // engines, all if there are none
	made []string
	want []string
	rows []int64
	opts audit.Options
	left []string // what only a person can decide
}

var postgres, sqlite, partial = []string{"postgres"}, []string{"sqlite"}, []string{"postgres", "sqlite"}

var defects = []defect{
	{
		name: "no unique key",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ")", back, "INSERT INTO user_groups VALUES (1, 1), (1, 2)"},
		want: []string{"no-unique-key user_id,group_id"}, rows: []int64{2},
	}, {
		name: "no unique key, both indexes there",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ")", forth, back},
		want: []string{"no-unique-key user_id,group_id"}, rows: []int64{0},
	}, {
		name: "no unique key, an index from the first end",
		on:   partial,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ")", forth},
		want: []string{"no-unique-key user_id,group_id"}, rows: []int64{0},
	}, {
		name: "duplicates without an id",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ")", back,
			"INSERT INTO user_groups VALUES (1, 1), (1, 2), (1, 1), (2, 2), (1, 1), (2, 2)"},
		want: []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, rows: []int64{3, 6},
	}, {
		name: "duplicates beside what refers to others", // and names that have no letters
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ")", back,
			"CREATE TABLE comments (id integer PRIMARY KEY, commentable_id integer, commentable_type varchar(50), user_id integer, group_id integer)",
			"CREATE TABLE django_content_type (id integer PRIMARY KEY, app_label varchar(50), model varchar(50))", "INSERT INTO django_content_type VALUES (1, 'shop', 'membership'), (2, 'shop', 'order')",
			"CREATE TABLE log_entries (id integer PRIMARY KEY, object_id varchar(50), content_type_id integer REFERENCES django_content_type (id))", "INSERT INTO log_entries VALUES (1, '1', 2)",
			"CREATE TABLE notes (_ integer REFERENCES user_groups (id), type integer, __type integer, _id integer)", "CREATE TABLE __ (user_id integer, group_id integer)",
			"INSERT INTO user_groups VALUES (1, 1, 1), (2, 1, 1)", "INSERT INTO comments VALUES (1, 1, 'Post', 1, 1), (2, 1, 'User', 1, 1)"},
		opts: named, want: []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, rows: []int64{1, 2},
	}, {
		name: "duplicates with an id",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", note varchar(9))", back,
			"INSERT INTO user_groups VALUES (3, 1, 1, 'a'), (1, 1, 1, 'a'), (2, 1, 1, 'a'), (4, 2, 2, 'd')"},
		want: []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, rows: []int64{2, 4},
	}, {
		name: "duplicates that have much to say",
		made: []string{"CREATE TABLE user_groups (id integer PRIMARY KEY, " + user + ", " + group + ", note varchar(9), nickname varchar(9), color varchar(9))", back,
			"INSERT INTO user_groups VALUES (1, 1, 1, 'a', 'x', NULL), (2, 1, 1, 'a', 'x', NULL), (3, 2, 1, 'b', 'y', 'red')"},
		want: []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, rows: []int64{1, 3},
	}, {
		name: "duplicates with times",
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", created_at varchar(30))", back,
			"INSERT INTO user_groups VALUES (1, 1, '2024'), (1, 1, NULL), (1, 1, '2023')"},
		want: []string{"duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id"}, rows: []int64{2, 3},
	}, {
		name: "nullable without a key, rows with NULL",
		made: []string{"CREATE TABLE user_groups (user_id integer REFERENCES users (id), " + group + ")", back,
			"INSERT INTO user_groups VALUES (NULL, 1), (NULL, 1), (1, 1)"},
		want: []string{"no-unique-key user_id,group_id"}, rows: []int64{3}, left: []string{"nullable-unique-key user_id"},
	}, {
		name: "nullable under a key, rows with NULL",
		made: []string{"CREATE TABLE user_groups (user_id integer REFERENCES users (id), group_id integer REFERENCES groups (id), UNIQUE (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (NULL, 1), (NULL, 1), (1, NULL), (1, 1)"},
		want: []string{"nullable-unique-key user_id,group_id"}, rows: []int64{3}, left: []string{"nullable-unique-key user_id,group_id"},
	}, {
		name: "nullable under a key, no row yet",
		made: []string{"CREATE TABLE user_groups (user_id integer REFERENCES users (id), " + group + ", UNIQUE (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1)"},
		want: []string{"nullable-unique-key user_id"}, rows: []int64{0},
	}, {
		name: "partial", on: partial,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ")", back, "CREATE UNIQUE INDEX few ON user_groups (user_id, group_id) WHERE user_id > 1",
			"INSERT INTO user_groups VALUES (1, 1), (1, 1), (2, 1)"},
		want: []string{"duplicate-pairs user_id,group_id", "partial-unique-key user_id,group_id"}, rows: []int64{1, 3},
	}, {
		name: "expression", on: partial,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ")", back, "CREATE UNIQUE INDEX sums ON user_groups ((user_id + 0), group_id)"},
		want: []string{"expression-unique-key user_id,group_id"}, rows: []int64{0},
	}, {
		name: "deferrable", on: postgres,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", CONSTRAINT late UNIQUE (user_id, group_id) DEFERRABLE INITIALLY DEFERRED)", back,
			"INSERT INTO user_groups VALUES (1, 1)"},
		want: []string{"deferrable-unique-key user_id,group_id"}, rows: []int64{1},
	}, {
		name: "deferrable primary key", on: postgres,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", PRIMARY KEY (user_id, group_id) DEFERRABLE)", back},
		want: []string{"deferrable-unique-key user_id,group_id"}, rows: []int64{0},
	}, {
		name: "deferrable and nullable", on: postgres,
		made: []string{"CREATE TABLE user_groups (user_id integer REFERENCES users (id), " + group + ", UNIQUE (user_id, group_id) DEFERRABLE)", back,
			"INSERT INTO user_groups VALUES (NULL, 1), (2, 2)"},
		want: []string{"deferrable-unique-key user_id,group_id"}, rows: []int64{2}, left: []string{"nullable-unique-key user_id"},
	}, {
		name: "no foreign keys",
		made: []string{"CREATE TABLE user_groups (" + notNull + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (1, 2)"},
		want: []string{"no-foreign-key user_id", "no-foreign-key group_id"}, rows: []int64{2, 2},
	}, {
		name: "dangling",
		made: []string{"CREATE TABLE user_groups (" + notNull + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (1, 9), (8, 2), (8, 9)"},
		want: []string{"dangling-links user_id,group_id", "no-foreign-key user_id", "no-foreign-key group_id"}, rows: []int64{3, 4, 4},
	}, {
		name: "one foreign key",
		made: []string{"CREATE TABLE user_groups (" + user + ", group_id integer NOT NULL, PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (1, 9)"},
		want: []string{"dangling-links group_id", "no-foreign-key group_id"}, rows: []int64{1, 2},
	}, {
		name: "foreign keys that were not validated", on: postgres,
		made: []string{"CREATE TABLE user_groups (" + notNull + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (1, 9)",
			"ALTER TABLE user_groups ADD CONSTRAINT u FOREIGN KEY (user_id) REFERENCES users NOT VALID, ADD CONSTRAINT g FOREIGN KEY (group_id) REFERENCES groups NOT VALID"},
		want: []string{"dangling-links group_id", "no-foreign-key user_id", "no-foreign-key group_id"}, rows: []int64{1, 2, 2},
	}, {
		name: "foreign keys that were not enforced", on: sqlite,
		made: []string{"PRAGMA foreign_keys = OFF", "CREATE TABLE user_groups (" + user + ", " + group + ", PRIMARY KEY (user_id, group_id))", back,
			"INSERT INTO user_groups VALUES (1, 1), (1, 9)", "PRAGMA foreign_keys = ON"},
		want: []string{"dangling-links group_id"}, rows: []int64{1},
	}, {
		name: "all at once",
		made: []string{"CREATE TABLE user_groups (user_id integer, group_id integer)",
			"INSERT INTO user_groups VALUES (1, 1), (1, 1), (NULL, 1), (1, 9), (1, 9), (NULL, NULL), (7, NULL)"},
		want: []string{"dangling-links user_id,group_id", "duplicate-pairs user_id,group_id", "no-unique-key user_id,group_id",
			"no-foreign-key user_id", "no-foreign-key group_id", "no-reverse-index group_id"},
		rows: []int64{3, 2, 7, 7, 7, 7}, left: []string{"nullable-unique-key user_id,group_id"},
	}, {
		name: "no index from the other end", on: partial,
		made: []string{"CREATE TABLE user_groups (" + user + ", " + group + ", PRIMARY KEY (user_id, group_id))"},
		want: []string{"no-reverse-index group_id"}, rows: []int64{anything},
	},
}

// Defects: each is found, mended, found again.
func Defects(t *testing.T, kind string, open Open) {
	for _, d := range slices.Concat(defects, softDefects, keyDefects) {
		if d.on != nil && !slices.Contains(d.on, kind) {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			db := open(t)
			Execute(t, db, slices.Concat(ends, d.made)...)
			RoundTrip(t, db, kind, d.opts, d.want, d.rows, d.left...)
			if kind != "mysql" { // there each of these statements ends a transaction
				InTransactions(t, db, kind, d.opts, d.want, d.rows, d.left...)
			}
		})
	}
}
