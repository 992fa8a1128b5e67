// Package golden has the text of the statements for databases besides PostgreSQL, in
// golden files, sent into a pool without a database: some of them can't be run here.
package golden

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlserver"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/compat/internal/unconnected"
)

var update = flag.Bool("update", false, "write the golden files anew")

// User and Group are linked by Membership, which is deleted softly, or by a table of
// nothing but the pair.
type (
	User struct {
		ID     uint
		Groups []*Group `gorm:"many2many:memberships"`
		Rooms  []*Group `gorm:"many2many:user_rooms"`
	}
	Group struct {
		ID   uint
		Name string `gorm:"unique"`
	}
	Membership struct {
		UserID    uint `gorm:"primaryKey"`
		GroupID   uint `gorm:"primaryKey"`
		Role      string
		DeletedAt gorm.DeletedAt
	}
)

// tables are the columns and unique keys that the catalogues tell of.
var tables = map[string]struct{ columns, keys []string }{
	"users":       {[]string{"id"}, []string{"id"}},
	"groups":      {[]string{"id", "name"}, []string{"id", "name"}},
	"memberships": {[]string{"user_id", "group_id", "role", "deleted_at"}, []string{"user_id group_id"}},
	"user_rooms":  {[]string{"user_id", "group_id"}, []string{"user_id group_id"}},
}

// server answers as a database whose tables are these: of a call's rows the first is
// as state says, and there are no others.
type server struct {
	version string
	types   map[string]string // by column
	state   []string          // of the next looks at the call's rows; then there is nothing to tell
	bare    bool              // user_rooms has no key
}

func (s *server) typeOf(column string) string {
	if typ, ok := s.types[column]; ok {
		return typ
	}
	return s.types["id"]
}

func (s *server) answer(query string, args []any) ([]string, [][]any) {
	table := ""
	if len(args) > 0 {
		table = strings.Trim(fmt.Sprint(args[0]), `"`)
	}
	var rows [][]any
	switch {
	case strings.HasPrefix(query, "SELECT version()"):
		return []string{"version"}, [][]any{{s.version}}
	case strings.Contains(query, "sys.columns AS c JOIN sys.types"), strings.Contains(query, "format_type("):
		for _, c := range tables[table].columns {
			rows = append(rows, []any{c, s.typeOf(c), true})
		}
		return []string{"name", "type", "may"}, rows
	case strings.Contains(query, "FROM sys.indexes"), strings.Contains(query, "FROM pg_index"):
		for i, key := range tables[table].keys {
			if s.bare && table == "user_rooms" {
				break
			}
			for _, c := range strings.Fields(key) {
				row := []any{fmt.Sprintf("key_%d", i), i == 0, false, "", c}
				if strings.Contains(query, "sys.") {
					row = []any{fmt.Sprintf("key_%d", i), i == 0, "", c}
				}
				rows = append(rows, row)
			}
		}
		return []string{"name", "primary", "deferrable", "where", "column"}[:len(append(rows, make([]any, 5))[0])], rows
	case strings.Contains(query, "information_schema.columns"):
		table = fmt.Sprint(args[1])
		for _, c := range tables[table].columns {
			column := []any{c, s.typeOf(c), strings.Fields(s.typeOf(c))[0], "", "", int64(0), "", "select,insert,update"}
			if column[2] == "varchar" {
				column[3], column[4] = "utf8mb4", "utf8mb4_general_ci"
			}
			rows = append(rows, column)
		}
		return []string{"name", "type", "data", "charset", "collation", "precision", "extra", "privileges"}, rows
	case strings.Contains(query, "information_schema.statistics"):
		table = fmt.Sprint(args[1])
		for i, key := range tables[table].keys {
			for _, c := range strings.Fields(key) {
				if !s.bare || table != "user_rooms" {
					rows = append(rows, []any{map[bool]string{true: "PRIMARY", false: "other"}[i == 0], c, false})
				}
			}
		}
		return []string{"name", "column", "prefix"}, rows
	case strings.Contains(query, "AS isolation"):
		return []string{"isolation", "slot"}, nil
	case strings.Contains(query, "AS m2m_n,"): // a lookup by name: stored under 7
		return []string{"m2m_n", "m2m_s", "id", "name"}, [][]any{{int64(1), "e", int64(7), "go"}}
	}
	if len(s.state) > 0 && s.state[0] != "" {
		rows = [][]any{{int64(1), s.state[0]}}
	}
	if len(s.state) > 0 {
		s.state = s.state[1:]
	}
	return []string{"n", "s"}, rows
}

var groups = []*Group{{ID: 2}, {ID: 3}}

// calls are what is sent, and how the database finds the rows.
var calls = []struct {
	name, why string
	state     []string
	bare      bool
	run       func(db *gorm.DB) error
}{
	{"append", "two stored groups, of which one is new", []string{"n"}, false, func(db *gorm.DB) error {
		return db.Model(&User{ID: 1}).Association("Rooms").Append(groups)
	}},
	{"linked", "stored groups that are linked", nil, false, func(db *gorm.DB) error {
		return db.Model(&User{ID: 1}).Association("Rooms").Append(groups)
	}},
	{"by_name", "a group by its unique name, with values for the join row", []string{"n"}, false, func(db *gorm.DB) error {
		return m2msafe.With(db, m2msafe.Through(Membership{Role: "admin"})).Model(&User{ID: 1}).Association("Groups").Append(&Group{Name: "go"})
	}},
	{"revive", "a link that is soft-deleted", []string{"d"}, false, func(db *gorm.DB) error {
		return db.Model(&User{ID: 1}).Association("Groups").Append(&Group{ID: 2})
	}},
	{"pairs", "links by keys alone", []string{"n"}, false, func(db *gorm.DB) error {
		_, err := m2msafe.LinkPairs(db.Statement.Context, db, &User{}, "Rooms", func(yield func(int, int) bool) { _ = yield(1, 2) && yield(2, 2) })
		return err
	}},
	{"no_unique_key", "a join table without a unique key on the pair", []string{"n"}, true, func(db *gorm.DB) error {
		return db.Model(&User{ID: 1}).Association("Rooms").Append(groups)
	}},
}

// databases say what they are as their documentation has it.
var databases = []struct {
	name, version string
	open          func(pool gorm.ConnPool) gorm.Dialector
	types         map[string]string
}{
	{"mysql", "8.0.31", openMySQL, mysqlTypes},
	{"tidb", "8.0.11-TiDB-v8.5.0", openMySQL, mysqlTypes},
	{"sqlserver", "", func(pool gorm.ConnPool) gorm.Dialector { return sqlserver.New(sqlserver.Config{Conn: pool}) },
		map[string]string{"id": "bigint", "name": "", "role": "", "deleted_at": "datetimeoffset(7)"}},
	{"cockroachdb", "CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu, built 2024/05/15 21:28:29, go1.22.2)", openPostgres, postgresTypes},
	{"yugabytedb", "PostgreSQL 11.2-YB-2.25.0.0-b0 on x86_64-pc-linux-gnu, 64-bit", openPostgres, postgresTypes},
	{"citus", "PostgreSQL 16.3 on x86_64-pc-linux-gnu, 64-bit Citus", openPostgres, postgresTypes},
}

func openPostgres(pool gorm.ConnPool) gorm.Dialector {
	return postgres.New(postgres.Config{Conn: pool})
}

func openMySQL(pool gorm.ConnPool) gorm.Dialector {
	return mysql.New(mysql.Config{Conn: pool, SkipInitializeWithVersion: true})
}

var mysqlTypes = map[string]string{"id": "bigint unsigned", "name": "varchar (191)", "role": "varchar (191)", "deleted_at": "datetime (3)"}

var postgresTypes = map[string]string{"id": "bigint", "name": "text", "role": "text", "deleted_at": "timestamp with time zone"}

func TestGoldenStatements(t *testing.T) {
	for _, d := range databases {
		for _, c := range calls {
			t.Run(d.name+" "+c.name, func(t *testing.T) {
				s := &server{version: d.version, types: d.types, state: c.state, bare: c.bare}
				pool, log := unconnected.Open(s.answer)
				t.Cleanup(func() { require.NoError(t, pool.Close()) })
				db, err := gorm.Open(d.open(pool), &gorm.Config{
					Logger: logger.Discard, NowFunc: func() time.Time { return time.Date(2016, 4, 5, 6, 7, 8, 0, time.UTC) },
				})
				require.NoError(t, err)
				require.NoError(t, db.SetupJoinTable(&User{}, "Groups", &Membership{}))
				require.NoError(t, db.Use(m2msafe.New()))
				err = c.run(db)
				if c.bare && d.types["id"] == "bigint" && d.version != "" {
					require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
				} else {
					require.NoError(t, err)
				}
				compare(t, d.name+"_"+c.name, c.why, log.Take(), err)
			})
		}
	}
}

// compare has what is sent but for the catalogue's, which is read once a relation.
func compare(t *testing.T, name, why string, sent []unconnected.Sent, err error) {
	t.Helper()
	var text bytes.Buffer
	fmt.Fprintf(&text, "-- why: %s\n", why)
	for _, s := range sent {
		if strings.HasPrefix(s.SQL, "SELECT version()") || strings.Contains(s.SQL, "sys.") || strings.Contains(s.SQL, "information_schema") || strings.Contains(s.SQL, "pg_attribute") {
			continue
		}
		fmt.Fprintf(&text, "\n%s;\n", strings.TrimSuffix(s.SQL, ";"))
		for i, arg := range s.Args {
			fmt.Fprintf(&text, "-- %d = %v\n", i+1, arg)
		}
	}
	if err != nil {
		fmt.Fprintf(&text, "\n-- error: %v\n", err)
	}
	file := filepath.Join("testdata", name+".sql")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, text.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text.String())
	if strings.HasPrefix(name, "sqlserver") {
		for _, s := range sent {
			require.False(t, strings.HasPrefix(s.SQL, "INSERT INTO"), "a plain insert: %s", s.SQL)
		}
	}
}
