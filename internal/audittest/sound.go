package audittest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// sound is a schema in which nothing is wrong, and what in it are join tables: each as
// "table convention columns>table.column columns>table.column".
type sound struct {
	name   string
	on     []string
	made   []string
	tables []string
}

// fk is a column with a foreign key.
func fk(column, table string) string {
	return fmt.Sprintf("%s integer NOT NULL REFERENCES %s (id)", column, table)
}

var sounds = []sound{
	{
		name: "GORM, with an index from the other end",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE languages (id integer PRIMARY KEY)",
			"CREATE TABLE user_languages (user_id integer NOT NULL, language_id integer NOT NULL, PRIMARY KEY (user_id, language_id), " +
				"CONSTRAINT fk_user_languages_user FOREIGN KEY (user_id) REFERENCES users (id), CONSTRAINT fk_user_languages_language FOREIGN KEY (language_id) REFERENCES languages (id))",
			"CREATE INDEX l ON user_languages (language_id)",
			"CREATE TABLE user_friends (user_id integer NOT NULL, friend_id integer NOT NULL, PRIMARY KEY (user_id, friend_id), " +
				"CONSTRAINT fk_user_friends_user FOREIGN KEY (user_id) REFERENCES users (id), CONSTRAINT fk_user_friends_friends FOREIGN KEY (friend_id) REFERENCES users (id))",
			"CREATE INDEX f ON user_friends (friend_id)",
		},
		tables: []string{"user_friends GORM user_id>users.id friend_id>users.id", "user_languages GORM user_id>users.id language_id>languages.id"},
	}, {
		name: "Django",
		made: []string{
			"CREATE TABLE auth_user (id integer PRIMARY KEY)", "CREATE TABLE auth_group (id integer PRIMARY KEY)",
			"CREATE TABLE auth_user_groups (id integer PRIMARY KEY, " + fk("user_id", "auth_user") + ", " + fk("group_id", "auth_group") + ")",
			"CREATE UNIQUE INDEX auth_user_groups_user_id_group_id_uniq ON auth_user_groups (user_id, group_id)",
			"CREATE INDEX a1 ON auth_user_groups (user_id)", "CREATE INDEX a2 ON auth_user_groups (group_id)",
			"CREATE TABLE auth_user_buddies (id integer PRIMARY KEY, " + fk("from_user_id", "auth_user") + ", " + fk("to_user_id", "auth_user") + ")",
			"CREATE UNIQUE INDEX a3 ON auth_user_buddies (from_user_id, to_user_id)", "CREATE INDEX a4 ON auth_user_buddies (to_user_id)",
		},
		tables: []string{"auth_user_buddies Django from_user_id>auth_user.id to_user_id>auth_user.id", "auth_user_groups Django user_id>auth_user.id group_id>auth_group.id"},
	}, {
		name: "Rails",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE groups_users (" + fk("user_id", "users") + ", " + fk("group_id", "groups") + ")",
			"CREATE UNIQUE INDEX r1 ON groups_users (user_id, group_id)", "CREATE INDEX r2 ON groups_users (group_id)",
			// A polymorphic one is no pair.
			"CREATE TABLE taggings (id integer PRIMARY KEY, user_id integer REFERENCES users (id), taggable_id integer, taggable_type varchar(50))",
		},
		tables: []string{"groups_users Rails user_id>users.id group_id>groups.id"},
	}, {
		name: "Prisma", on: []string{"postgres", "sqlite"},
		made: []string{
			`CREATE TABLE "Category" (id integer PRIMARY KEY)`, `CREATE TABLE "Post" (id integer PRIMARY KEY)`,
			`CREATE TABLE "_CategoryToPost" ("A" integer NOT NULL REFERENCES "Category" (id) ON DELETE CASCADE, "B" integer NOT NULL REFERENCES "Post" (id) ON DELETE CASCADE)`,
			`CREATE UNIQUE INDEX "_CategoryToPost_AB_unique" ON "_CategoryToPost" ("A", "B")`, `CREATE INDEX "_CategoryToPost_B_index" ON "_CategoryToPost" ("B")`,
		},
		tables: []string{"_CategoryToPost Prisma A>Category.id B>Post.id"},
	}, {
		name: "Ent",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE group_users (group_id integer NOT NULL, user_id integer NOT NULL, PRIMARY KEY (group_id, user_id), " +
				"CONSTRAINT group_users_group_id FOREIGN KEY (group_id) REFERENCES groups (id) ON DELETE CASCADE, CONSTRAINT group_users_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE)",
			"CREATE INDEX e ON group_users (user_id)",
		},
		tables: []string{"group_users Ent group_id>groups.id user_id>users.id"},
	}, {
		name: "Sequelize",
		made: []string{
			`CREATE TABLE Users (id integer PRIMARY KEY)`, `CREATE TABLE Teams (id integer PRIMARY KEY)`,
			"CREATE TABLE UserTeams (createdAt timestamp NULL, updatedAt timestamp NULL, UserId integer NOT NULL REFERENCES Users (id), TeamId integer NOT NULL REFERENCES Teams (id), PRIMARY KEY (UserId, TeamId))",
			"CREATE INDEX s ON UserTeams (TeamId)",
		},
		on:     []string{"mysql", "sqlite"}, // PostgreSQL makes small letters of these
		tables: []string{"UserTeams Sequelize UserId>Users.id TeamId>Teams.id"},
	}, {
		name: "Hibernate",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE users_groups (" + fk("users_id", "users") + ", " + fk("groups_id", "groups") + ", PRIMARY KEY (users_id, groups_id))", "CREATE INDEX h ON users_groups (groups_id)",
		},
		tables: []string{"users_groups Hibernate users_id>users.id groups_id>groups.id"},
	}, {
		name: "living rows kept apart", on: partial,
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE user_groups (id integer PRIMARY KEY, " + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", deleted_at timestamp NULL, note varchar(9))",
			"CREATE UNIQUE INDEX pairs ON user_groups (user_id, group_id) WHERE (deleted_at IS NULL)", "CREATE INDEX g ON user_groups (group_id)",
			"CREATE TABLE user_buddies (" + fk("user_id", "users") + ", " + fk("buddy_id", "users") + ", is_deleted boolean NOT NULL DEFAULT false)",
			"CREATE UNIQUE INDEX buddies ON user_buddies (user_id, buddy_id) WHERE NOT is_deleted", "CREATE INDEX b ON user_buddies (buddy_id)",
			"INSERT INTO users VALUES (1)", "INSERT INTO groups VALUES (1)",
			"INSERT INTO user_groups VALUES (1, 1, 1, NULL, ''), (2, 1, 1, '2024-01-02 03:04:05', ''), (3, 1, 1, '2024-01-02 03:04:05', '')",
		},
		tables: []string{"user_buddies foreign keys user_id>users.id buddy_id>users.id", "user_groups GORM user_id>users.id group_id>groups.id"},
	}, {
		name: "living rows kept apart by a flag in the key",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE user_groups (" + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", deleted_at bigint NOT NULL DEFAULT 0, UNIQUE (user_id, group_id, deleted_at))",
			"CREATE INDEX g ON user_groups (group_id)",
		},
		tables: []string{"user_groups foreign keys user_id>users.id group_id>groups.id"},
	}, {
		name: "several columns an end, a tenant in both",
		made: []string{
			"CREATE TABLE users (tenant_id integer NOT NULL, id integer NOT NULL, PRIMARY KEY (tenant_id, id))", "CREATE TABLE groups (tenant_id integer NOT NULL, id integer NOT NULL, PRIMARY KEY (tenant_id, id))",
			"CREATE TABLE user_groups (tenant_id integer NOT NULL, user_id integer NOT NULL, group_id integer NOT NULL, PRIMARY KEY (tenant_id, user_id, group_id), " +
				"FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id), FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id))",
			"CREATE INDEX g ON user_groups (tenant_id, group_id)",
		},
		tables: []string{"user_groups foreign keys tenant_id,user_id>users.tenant_id,id tenant_id,group_id>groups.tenant_id,id"},
	}, {
		name: "a tenant that both ends and the key have", // by which a pair is what it was without
		made: []string{
			"CREATE TABLE tenants (id integer PRIMARY KEY)", "CREATE TABLE users (id integer PRIMARY KEY, " + fk("org_id", "tenants") + ")", "CREATE TABLE groups (id integer PRIMARY KEY, " + fk("org_id", "tenants") + ")",
			"CREATE TABLE user_groups (" + fk("org_id", "tenants") + ", " + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", PRIMARY KEY (org_id, user_id, group_id))",
			"CREATE INDEX u ON user_groups (user_id)", "CREATE INDEX g ON user_groups (group_id)",
		},
		tables: []string{"user_groups foreign keys user_id>users.id group_id>groups.id"},
	}, {
		name: "who made the link",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE memberships (id integer PRIMARY KEY, " + fk("invited_by_id", "users") + ", " + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", note varchar(9), role varchar(9), UNIQUE (user_id, group_id))",
			"CREATE INDEX g ON memberships (group_id)",
		},
		tables: []string{"memberships foreign keys user_id>users.id group_id>groups.id"},
	}, {
		name: "tables with two foreign keys that are no join tables",
		made: []string{
			"CREATE TABLE customers (id integer PRIMARY KEY)", "CREATE TABLE products (id integer PRIMARY KEY)", "CREATE TABLE devices (id integer PRIMARY KEY)",
			"CREATE TABLE orders (id integer PRIMARY KEY, " + fk("customer_id", "customers") + ", " + fk("product_id", "products") + ", quantity integer, price integer, address varchar(99), placed_at timestamp NULL)",
			"CREATE TABLE reviews (id integer PRIMARY KEY, " + fk("customer_id", "customers") + ", " + fk("product_id", "products") + ", stars integer, body varchar(99), title varchar(99))",
			"CREATE TABLE page_views (id integer PRIMARY KEY, " + fk("customer_id", "customers") + ", " + fk("product_id", "products") + ", created_at timestamp NULL)",
			"CREATE TABLE logins (" + fk("customer_id", "customers") + ", " + fk("device_id", "devices") + ", created_at timestamp NULL)",
			"CREATE TABLE customer_products (id integer PRIMARY KEY, " + fk("customer_id", "customers") + ", " + fk("product_id", "products") + ", quantity integer NOT NULL)",
			"CREATE TABLE customer_devices (id integer PRIMARY KEY, " + fk("customer_id", "customers") + ", " + fk("device_id", "devices") + ", valid_from timestamp NULL, valid_until timestamp NULL)",
			"CREATE TABLE messages (id integer PRIMARY KEY, " + fk("sender_id", "customers") + ", " + fk("recipient_id", "customers") + ", body varchar(99))",
			"CREATE TABLE rooms (id integer PRIMARY KEY, " + fk("customer_id", "customers") + ")",
			"CREATE TABLE deliveries (" + fk("customer_id", "customers") + ", " + fk("product_id", "products") + ", line integer NOT NULL, PRIMARY KEY (customer_id, product_id, line))",
			"CREATE TABLE prices (" + fk("product_id", "products") + ", currency_id varchar(3) NOT NULL, cents integer NOT NULL, PRIMARY KEY (product_id, currency_id))",
			// Of one thing there is one a customer: not the pair's key.
			"CREATE TABLE carts (id integer PRIMARY KEY, " + fk("customer_id", "customers") + " , product_id integer REFERENCES products (id), total integer, UNIQUE (customer_id))",
		},
	}, {
		name: "one of several at a time", on: partial,
		made: []string{
			"CREATE TABLE guests (id integer PRIMARY KEY)", "CREATE TABLE rooms (id integer PRIMARY KEY)",
			"CREATE TABLE bookings (id integer PRIMARY KEY, " + fk("guest_id", "guests") + ", " + fk("room_id", "rooms") + ", status varchar(9), note varchar(99), arrival varchar(9))",
			"CREATE UNIQUE INDEX running ON bookings (guest_id, room_id) WHERE status = 'running'",
			"CREATE TABLE room_guests (" + fk("guest_id", "guests") + ", " + fk("room_id", "rooms") + ", first boolean NOT NULL, PRIMARY KEY (guest_id, room_id))",
			"CREATE UNIQUE INDEX firsts ON room_guests (room_id) WHERE first", "CREATE INDEX r ON room_guests (room_id)",
		},
		tables: []string{"room_guests GORM guest_id>guests.id room_id>rooms.id"},
	}, {
		name: "a unique column of its own",
		made: []string{
			"CREATE TABLE guests (id integer PRIMARY KEY, email varchar(50) UNIQUE)", "CREATE TABLE flights (id integer PRIMARY KEY)",
			"CREATE TABLE flight_guests (" + fk("flight_id", "flights") + ", " + fk("guest_id", "guests") + ", seat varchar(9), PRIMARY KEY (flight_id, guest_id), UNIQUE (flight_id, seat))",
			"CREATE UNIQUE INDEX seats ON flight_guests (seat)", "CREATE INDEX g ON flight_guests (guest_id)",
		},
		tables: []string{"flight_guests GORM flight_id>flights.id guest_id>guests.id"},
	}, {
		name: "a third table", // of which nothing says that it is not part of what is linked
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY)", "CREATE TABLE projects (id integer PRIMARY KEY)", "CREATE TABLE roles (id integer PRIMARY KEY)",
			"CREATE TABLE user_project_roles (id integer PRIMARY KEY, " + fk("user_id", "users") + ", " + fk("project_id", "projects") + ", " + fk("role_id", "roles") + ", created_at timestamp NULL)",
			"INSERT INTO users VALUES (1)", "INSERT INTO projects VALUES (1), (2)", "INSERT INTO roles VALUES (1)",
			"INSERT INTO user_project_roles VALUES (1, 1, 1, 1, NULL), (2, 1, 2, 1, NULL)",
		},
	}, {
		name: "a unique column of its own, which both ends have too",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY, uuid varchar(36) UNIQUE, code varchar(9) UNIQUE)", "CREATE TABLE groups (id integer PRIMARY KEY, uuid varchar(36) UNIQUE, code varchar(9) UNIQUE)",
			"CREATE TABLE user_groups (" + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", uuid varchar(36) UNIQUE, code varchar(9) UNIQUE, id integer NOT NULL UNIQUE, PRIMARY KEY (user_id, group_id))",
			"CREATE INDEX g ON user_groups (group_id)",
		},
		tables: []string{"user_groups GORM user_id>users.id group_id>groups.id"},
	}, {
		name: "a unique column of its own, which one end has too",
		made: []string{
			"CREATE TABLE users (id integer PRIMARY KEY, uuid varchar(36) UNIQUE)", "CREATE TABLE groups (id integer PRIMARY KEY)",
			"CREATE TABLE user_groups (" + fk("user_id", "users") + ", " + fk("group_id", "groups") + ", uuid varchar(36) UNIQUE, PRIMARY KEY (user_id, group_id))",
			"CREATE INDEX g ON user_groups (group_id)",
		},
		tables: []string{"user_groups GORM user_id>users.id group_id>groups.id"},
	}, {
		name: "one row for each of an end", // as Django inherits
		made: []string{
			"CREATE TABLE person (id integer PRIMARY KEY)", "CREATE TABLE company (id integer PRIMARY KEY)",
			"CREATE TABLE employee (person_ptr_id integer NOT NULL PRIMARY KEY REFERENCES person (id), " + fk("company_id", "company") + ")",
			"CREATE TABLE person_defaults (" + fk("person_id", "person") + ", " + fk("company_id", "company") + ", UNIQUE (person_id))",
		},
	}, {
		name: "nothing",
	}, {
		name: "nothing to do with it",
		made: []string{"CREATE TABLE notes (id integer PRIMARY KEY, body varchar(99))", "CREATE TABLE empty (x integer)"},
	},
}

// Sound: the join tables are told from others, and nothing is said of them.
func Sound(t *testing.T, kind string, open Open) {
	for _, s := range slices.Concat(sounds, soundNot) {
		if s.on != nil && !slices.Contains(s.on, kind) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			db := open(t)
			Execute(t, db, s.made...)
			report := Run(t, db, kind, audit.Options{})
			require.Equal(t, s.tables, Tables(report))
			require.Empty(t, Rules(report), "%+v", report.Findings)
			require.Empty(t, report.Unseen)
		})
	}
}

// Tables are a report's join tables, in short.
func Tables(r *audit.Report) []string {
	var all []string
	for _, j := range r.Tables {
		text := j.Name + " " + j.Convention
		for _, e := range j.Ends {
			text += " " + strings.Join(e.Columns, ",") + ">" + e.Table + "." + strings.Join(e.References, ",")
		}
		all = append(all, text)
	}
	return all
}
