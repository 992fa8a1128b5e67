package auditlab

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe/audit"
)

// maker is whoever made a database, and what is true of it as it was made.
type maker struct {
	name string
	// convention is what the audit calls it.
	convention string
	on         string // the kinds of databases, all if empty
	make       func(t testing.TB, d *database)
	joins      []join // each join table in it
	// true findings, and no others.
	findings []known
	// smoke has the maker's own programs use its relations, where they can be had.
	smoke func(t testing.TB, d *database)
}

// known is a finding that is true of tables, or of columns.
type known struct {
	rule    audit.Rule
	of      string // tables for their pairs, or table.column, between spaces
	on      string // the kinds of databases, all if empty
	because string
}

func applies(on, kind string) bool {
	return on == "" || slices.Contains(strings.Fields(on), kind)
}

// pairOf is a join table by its names; one to itself if there is no other.
func pairOf(table, a, aTable, b, bTable string) join {
	return join{table: table, ends: [2]end{{column: a, table: aTable, key: "id"}, {column: b, table: bTable, key: "id"}}}
}

func mute(j join) join {
	j.mute = true
	return j
}

func keyed(j join) join {
	j.keyed = true
	return j
}

func rename(j join) join {
	j.rename = true
	return j
}

func soft(j join) join {
	j.soft = true
	return j
}

// Of a composite key only the first column can be looked up by; InnoDB makes an index for
// each foreign key, the others don't.
const noIndex = "the key begins with the other column, and nothing makes an index for this one"

var makers = []maker{
	{
		name: "django", convention: "Django", make: migrateDjango, smoke: smokeDjango,
		joins: []join{
			pairOf("auth_user_groups", "user_id", "auth_user", "group_id", "auth_group"),
			pairOf("auth_user_user_permissions", "user_id", "auth_user", "permission_id", "auth_permission"),
			pairOf("auth_group_permissions", "group_id", "auth_group", "permission_id", "auth_permission"),
			pairOf("shop_article_publications", "article_id", "shop_article", "publication_id", "shop_publication"),
			pairOf("shop_person_friends", "from_person_id", "shop_person", "to_person_id", "shop_person"),
			pairOf("shop_person_follows", "from_person_id", "shop_person", "to_person_id", "shop_person"),
			pairOf("shop_membership", "person_id", "shop_person", "club_id", "shop_club"),
			pairOf("shop_enrolment", "person_id", "shop_person", "course_id", "shop_course"),
		},
		findings: []known{
			{rule: audit.NoUniqueKey, of: "shop_enrolment", because: "a through model has no constraint that it does not declare"},
		},
	},
	{
		name: "sequelize", convention: "Sequelize", make: fixture("sequelize"),
		joins: []join{
			pairOf("UserProjects", "UserId", "Users", "ProjectId", "Projects"),
			mute(pairOf("Follows", "followedId", "Users", "followerId", "Users")),
			keyed(pairOf("Grants", "UserId", "Users", "RoleId", "Roles")),
			// Loans, with an id and unique: false, may as well be a thing that a user does with a
			// role again and again: see TestNamedTable.
			pairOf("BadgeUsers", "UserId", "Users", "BadgeId", "Badges"),
		},
		findings: []known{
			{rule: audit.NoReverseIndex, of: "UserProjects.ProjectId Follows.followerId Grants.RoleId", on: "postgres sqlite", because: noIndex},
			{rule: audit.NoReverseIndex, of: "BadgeUsers.BadgeId", because: noIndex + "; without a foreign key InnoDB does not either"},
			{rule: audit.NullableUniqueKey, of: "Grants", because: "the columns of a through model with an id are made without NOT NULL"},
			{rule: audit.NoForeignKey, of: "BadgeUsers.UserId BadgeUsers.BadgeId", because: "constraints: false asks for none"},
		},
	},
	{
		name: "prisma5", convention: "Prisma", make: fixture("prisma5"),
		joins: prismaJoins,
	},
	{
		name: "prisma6", convention: "Prisma", on: "postgres", make: fixture("prisma6"),
		joins: prismaJoins,
	},
	{
		name: "prismamode", convention: "Prisma", on: "mysql", make: fixture("prismamode"),
		// A named relation's table does not say whose it is.
		joins: []join{prismaJoins[0]},
		findings: []known{
			{rule: audit.NoForeignKey, of: "_PostToTag.A _PostToTag.B", because: `relationMode = "prisma" makes none`},
		},
	},
	{
		name: "rails", convention: "Rails", make: fixture("rails"),
		joins: []join{
			pairOf("assemblies_parts", "assembly_id", "assemblies", "part_id", "parts"),
			pairOf("roles_users", "user_id", "users", "role_id", "roles"),
		},
		findings: []known{
			{rule: audit.NoUniqueKey, of: "assemblies_parts", because: "create_join_table makes no key"},
			{rule: audit.NoForeignKey, of: "assemblies_parts.assembly_id assemblies_parts.part_id", because: "create_join_table makes none"},
			{rule: audit.NoReverseIndex, of: "assemblies_parts.part_id", because: "create_join_table makes no index"},
		},
	},
	{
		name: "hibernate", convention: "Hibernate", on: "postgres mysql", make: fixture("hibernate"),
		joins: hibernateJoins,
		findings: []known{
			{rule: audit.NoUniqueKey, of: "Person_Address", because: "a List is a bag, which may hold one element twice"},
			{rule: audit.NoReverseIndex, of: "Person_Address.addresses_id Person_Team.teams_id", on: "postgres", because: noIndex},
		},
	},
	{
		name: "gorm", convention: "GORM", smoke: smokeGORM,
		make:  func(t testing.TB, d *database) { migrateGORM(t, d.gorm(t), &ReaderShelf{}) },
		joins: gormJoins,
		findings: []known{
			{rule: audit.NoReverseIndex, of: "author_books.book_id author_friends.friend_id loans.book_id reader_shelves.shelf_id", on: "postgres sqlite", because: noIndex},
			{rule: audit.SoftDeleteFullKey, of: "loans", because: "a deleted loan keeps its book from being lent again"},
			{rule: audit.NoUniqueKey, of: "reader_shelves", because: "the join model has a key of its own and declares no other"},
		},
	},
	{
		name: "gorm without constraints", convention: "GORM",
		make: func(t testing.TB, d *database) {
			db := d.gorm(t)
			db.Config.DisableForeignKeyConstraintWhenMigrating = true
			migrateGORM(t, db, &ReaderShelf{})
		},
		// friend_id is no table's, but what is called author_friends joins authors.
		joins: gormJoins,
		findings: []known{
			{rule: audit.NoForeignKey, of: "author_books.author_id author_books.book_id author_friends.author_id author_friends.friend_id " +
				"loans.reader_id loans.book_id reader_shelves.reader_id reader_shelves.shelf_id", because: "the option leaves them out"},
			{rule: audit.NoReverseIndex, of: "author_books.book_id author_friends.friend_id loans.book_id reader_shelves.shelf_id", because: noIndex},
			{rule: audit.SoftDeleteFullKey, of: "loans", because: "a deleted loan keeps its book from being lent again"},
			{rule: audit.NoUniqueKey, of: "reader_shelves", because: "the join model has a key of its own and declares no other"},
		},
	},
	{
		name: "ent", convention: "Ent", make: migrateEnt, smoke: migrateEnt,
		joins: []join{
			pairOf("user_groups", "user_id", "users", "group_id", "groups"),
			pairOf("user_friends", "user_id", "users", "friend_id", "users"),
		},
		findings: []known{
			{rule: audit.NoReverseIndex, of: "user_groups.group_id user_friends.friend_id", on: "postgres sqlite", because: noIndex},
		},
	},
}

var prismaJoins = []join{
	{table: "_PostToTag", ends: [2]end{{column: "A", table: "Post", key: "id", text: true}, {column: "B", table: "Tag", key: "id"}}},
	mute(pairOf("_UserFollows", "A", "User", "B", "User")),
}

var hibernateJoins = []join{
	pairOf("Person_Address", "Person_id", "Person", "addresses_id", "Address"),
	pairOf("Person_Team", "people_id", "Person", "teams_id", "Team"),
}

var gormJoins = []join{
	pairOf("author_books", "author_id", "authors", "book_id", "books"),
	pairOf("author_friends", "author_id", "authors", "friend_id", "authors"),
	soft(pairOf("loans", "reader_id", "readers", "book_id", "books")),
	rename(pairOf("reader_shelves", "reader_id", "readers", "shelf_id", "shelves")),
}

// join is that of a table.
func (m *maker) join(t testing.TB, table string) join {
	t.Helper()
	i := slices.IndexFunc(m.joins, func(j join) bool { return j.table == table })
	require.GreaterOrEqual(t, i, 0, table)
	return m.joins[i]
}

// in is a join table as the database writes its names: PostgreSQL makes unquoted ones, as
// Hibernate's are, small.
func (m *maker) in(kind string, j join) join {
	if m.name == "hibernate" && kind == "postgres" {
		j.table = strings.ToLower(j.table)
		for i, e := range j.ends {
			j.ends[i].column, j.ends[i].table = strings.ToLower(e.column), strings.ToLower(e.table)
		}
	}
	return j
}
