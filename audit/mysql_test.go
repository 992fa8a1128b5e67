package audit

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shop is a join table in which everything is wrong, and its ends.
func shop() (*database, *table) {
	id := column{name: "id", typ: "int"}
	key := &index{name: "PRIMARY", columns: []string{"id"}, unique: true, primary: true, parts: "`id`"}
	users := &table{name: "users", home: true, columns: []column{id}, indexes: []*index{key}}
	number := id
	number.modify = " AUTO_INCREMENT"
	groups := &table{name: "groups", home: true, columns: []column{number}, indexes: []*index{key}}
	t := &table{name: "user_groups", home: true, columns: []column{
		{name: "user_id", typ: "varchar(20)", collation: "utf8mb4_general_ci", length: 20, nullable: true},
		{name: "group_id", typ: "int"}, {name: "note", typ: "text", collation: "utf8mb4_general_ci", length: 65535, nullable: true},
		{name: "deleted_at", typ: "datetime", nullable: true},
	}, indexes: []*index{{name: "one", columns: []string{"user_id"}, unique: true, parts: "`user_id`"}}}
	return &database{tables: []*table{users, groups, t}, taken: map[string]bool{}}, t
}

// changes are those that an engine makes of the shop, one of each kind.
func changes(m *mysql) (fix, undo []string) {
	d, t := shop()
	mk := &maker{d: d, limit: m.limit()}
	pair, s := []string{"user_id", "group_id"}, softDeletion(t)
	end := link{columns: []string{"user_id"}, to: d.tables[0], references: []string{"id"}}
	for _, c := range []change{
		m.remove(mk, t, removal{where: dangles(m, t, end), why: "dangling", mixed: true, against: []*foreignKey{{}}}),
		m.remove(mk, t, removal{pair: pair, alike: []string{"note"}, soft: s, why: "twice"}),
		m.retype(mk, t, t.column("user_id"), d.tables[0].column("id")),
		m.notNull(mk, t, pair[:1]),
		m.unique(mk, t, pair, s),
		m.drop(mk, t, t.indexes[0]),
		m.foreign(mk, t, end, " ON DELETE CASCADE"),
		m.index(mk, t, pair[1:]),
		m.remove(mk, d.tables[1], removal{where: "j.`id` = 0", why: "a number that means the next one"}),
	} {
		for _, s := range c.fix {
			fix = append(fix, s.SQL)
		}
		var back []string
		for _, s := range c.undo {
			back = append(back, s.SQL)
		}
		undo = append(back, undo...)
	}
	return fix, undo
}

var update = flag.Bool("update", false, "write the statements into testdata")

// No server of MySQL's own has run its statements: they are what its manual says, and have
// nothing in them that MariaDB alone knows.
func TestStatementsOfTheFamily(t *testing.T) {
	for file, m := range map[string]*mysql{"testdata/mysql.sql": {}, "testdata/mariadb.sql": {maria: true}} {
		fix, undo := changes(m)
		text := "-- Written by TestStatementsOfTheFamily -update.\n" + strings.Join(fix, ";\n") + ";\n\n-- and back\n" + strings.Join(undo, ";\n") + ";\n"
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		}
		want, err := os.ReadFile(file) // #nosec G304 -- one of the two above
		require.NoError(t, err)
		require.Equal(t, string(want), text)
		if !m.maria {
			require.NotRegexp(t, `SET STATEMENT|INVISIBLE|IGNORED|DROP (INDEX|COLUMN|FOREIGN KEY) IF|ADD [A-Z ]*IF NOT|subquery_cache`, text)
		}
	}
}
