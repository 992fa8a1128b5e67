package auditcmd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

// sqlUndo is the file beside a plain one that takes it back.
func sqlUndo(path string) string {
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + ".undo" + extension
}

// runs is how a plain file is run, so that it stops at an error.
var runs = map[string]string{
	dsn.Postgres: "psql -v ON_ERROR_STOP=1 -f %s DSN",
	dsn.MySQL:    "mysql DATABASE < %s",
	dsn.SQLite:   "sqlite3 -bail FILE < %s",
}

// plain is SQL for a database's own client. Transactions are where the database has them
// for such statements; MySQL's end at each CREATE and ALTER.
func (m *migration) plain(steps []step, undo bool) string {
	var out strings.Builder
	path, what := m.path, "Mends what m2msafe audit has found."
	if undo {
		path, what = sqlUndo(m.path), "Takes back what "+comment(filepath.Base(m.path))+" has done."
		steps = backwards(steps)
	}
	fmt.Fprintf(&out, "-- %s Read it before you run it:\n--   "+runs[m.kind]+"\n", what, comment(filepath.Base(path)))
	if m.kind == dsn.SQLite {
		if undo {
			out.WriteString("-- If the fix stopped at an error, take the steps out first that it did not come to:\n-- those above the one at which it stopped.\n")
		}
		out.WriteString(".bail on\n")
	}
	for _, s := range steps {
		todo := s.up
		if undo {
			todo = s.down
		}
		if len(todo) == 0 {
			continue
		}
		out.WriteString("\n" + about(s) + m.transactions(todo))
	}
	return out.String()
}

// transactions are statements with a transaction around those that can be in one, where
// the database has them for such statements.
func (m *migration) transactions(todo []audit.Statement) string {
	if m.kind == dsn.MySQL {
		return statements(todo)
	}
	var out strings.Builder
	for _, part := range parts(todo) {
		if len(part) == 1 {
			out.WriteString(statement(part[0]))
			continue
		}
		out.WriteString("BEGIN;\n" + statements(part) + "COMMIT;\n")
	}
	return out.String()
}

// goose is a file a step, as https://pressly.github.io/goose/documentation/annotations/
// has it. NO TRANSACTION is of a whole file, which is why each step has one.
func (m *migration) goose(steps []step) ([]file, error) {
	var files []file
	for i, s := range steps {
		var out strings.Builder
		if s.solo {
			out.WriteString("-- +goose NO TRANSACTION\n")
		}
		out.WriteString(about(s))
		for _, direction := range []struct {
			name string
			todo []audit.Statement
		}{{"Up", s.up}, {"Down", s.down}} {
			out.WriteString("\n-- +goose " + direction.name + "\n")
			if len(direction.todo) == 0 {
				out.WriteString(nothing(m.kind, s))
			}
			text, err := m.gooseStatements(s, direction.todo)
			if err != nil {
				return nil, err
			}
			out.WriteString(text)
		}
		files = append(files, file{m.name(i, ""), out.String()})
	}
	return files, nil
}

// gooseStatements are statements that goose reads as such. It takes a semicolon at the
// end of a line, or before a comment, for an end, unless it is told where that is; what it
// is told to be one statement is sent as one, by one connection.
func (m *migration) gooseStatements(s step, todo []audit.Statement) (string, error) {
	var out strings.Builder
	for _, st := range todo {
		if strings.Contains(st.SQL, "+goose") {
			return "", fmt.Errorf("goose would take a part of a statement for its own annotation; use another --fix-format: %s", comment(st.SQL))
		}
		text := statement(st)
		if !s.script && (strings.ContainsAny(st.SQL, ";\n") || strings.Contains(st.SQL, "--")) {
			text = gooseOne(text)
		}
		out.WriteString(text)
	}
	if s.script && len(todo) > 0 {
		return gooseOne(m.transactions(todo)), nil
	}
	return out.String(), nil
}

func gooseOne(text string) string {
	return "-- +goose StatementBegin\n" + text + "-- +goose StatementEnd\n"
}

// migrate is two files a step, as golang-migrate's MIGRATIONS.md has it. On PostgreSQL a
// file is sent as it is, so that a statement that can't be in a transaction needs one of
// its own. SQLite's driver makes the transaction itself, if it is not told to let it be.
func (m *migration) migrate(steps []step) ([]file, error) {
	var files []file
	bare := m.kind == dsn.Postgres || m.kind == dsn.SQLite && slices.ContainsFunc(steps, func(s step) bool { return s.solo })
	for i, s := range steps {
		for _, direction := range []struct {
			name string
			todo []audit.Statement
		}{{".up", s.up}, {".down", s.down}} {
			text := about(s)
			if bare && m.kind == dsn.SQLite {
				text += "-- Needs x-no-tx-wrap=true in the database's URL.\n"
			}
			switch {
			case len(direction.todo) == 0:
				text += nothing(m.kind, s)
			case bare:
				text += m.transactions(direction.todo)
			default:
				text += statements(direction.todo)
			}
			files = append(files, file{m.name(i, direction.name), text})
		}
	}
	return files, nil
}

// nothing is a direction without statements.
func nothing(kind string, s step) string {
	why := "-- Nothing to do: this part of the fix goes with the others.\n"
	if len(s.finding.Undo) == 0 {
		why = "-- Nothing to do: this can't be taken back.\n"
	}
	if kind == dsn.MySQL { // a file of comments alone is an error there
		why += "SELECT 1;\n"
	}
	return why
}
