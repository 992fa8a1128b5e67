package catalog

import (
	"database/sql"
	"strings"
)

// SQLite reads a table by its quoted name, the attached database's in front if it has
// one. It returns nil without an error if there is none.
// Types play no part (no statement casts), nor do foreign keys (the one writer
// needs no locks). SQLite does not tell names by case: a column comes as one of
// the spellings, where that differs from the table's by case alone.
func SQLite(query Query, quoted string, spellings []string) (*Table, error) {
	spell := func(column string) string { return spelled(spellings, column) }
	database, name, err := split(quoted)
	if err != nil {
		return nil, err
	}
	if database == "" {
		database = "main"
	}
	table := &Table{CanSelect: true, MaySelect: true, holds: holdsSQLite}
	var primary []string
	rows, err := query("SELECT name, pk FROM pragma_table_xinfo(?, ?) ORDER BY pk, cid", name, database)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var column string
		var pk int
		if err := rows.Scan(&column, &pk); err != nil {
			return err
		}
		column = spell(column)
		table.Columns = append(table.Columns, Column{Name: column})
		if pk > 0 {
			primary = append(primary, column)
		}
		return nil
	})
	if err != nil || len(table.Columns) == 0 {
		return nil, err
	}
	if len(primary) > 0 {
		// An INTEGER PRIMARY KEY has no index of its own; any other one is
		// listed below a second time, which does no harm.
		table.Keys = append(table.Keys, Key{Name: "PRIMARY KEY", Columns: primary, Primary: true})
	}
	rows, err = query(`SELECT l.name, coalesce(x.name, ''), coalesce(x.coll, ''), x.seqno, l.partial, coalesce(m.sql, '')
FROM pragma_index_list(?, ?) AS l JOIN pragma_index_xinfo(l.name, ?) AS x ON x.key = 1
LEFT JOIN `+quote(database)+`.sqlite_master AS m ON m.type = 'index' AND m.name = l.name
WHERE l."unique" = 1 ORDER BY l.seq DESC, x.seqno`, name, database, database)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var index, column, collation, definition string
		var position, partial int
		if err := rows.Scan(&index, &column, &collation, &position, &partial, &definition); err != nil {
			return err
		}
		if position == 0 {
			key := Key{Name: index}
			if partial != 0 {
				key.Where = Predicate(definition)
			}
			table.Keys = append(table.Keys, key)
		}
		last := &table.Keys[len(table.Keys)-1]
		last.Columns = append(last.Columns, spell(column))
		last.Collations = append(last.Collations, collation)
		return nil
	})
	return table, err
}

// spelled is a column as one of the spellings, if there is one that differs by
// case alone.
func spelled(spellings []string, column string) string {
	for _, s := range spellings {
		if strings.EqualFold(s, column) {
			return s
		}
	}
	return column
}

// holdsSQLite evaluates the predicate on a row that has no other columns than
// these: one that needs another is an error, and does not hold.
func holdsSQLite(query Query, key *Key, columns []string, values []any) (bool, error) {
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = "? AS " + quote(c)
	}
	holds, err := evaluate(query, key, row, values)
	return holds && err == nil, nil
}

// Predicate is the text behind WHERE in a CREATE INDEX statement, which SQLite
// keeps as it was typed, without its comments. It passes over strings, quoted
// names and parentheses; without a WHERE it is empty.
func Predicate(definition string) string {
	var text strings.Builder // what stands behind WHERE, once it is found
	depth, found := 0, false
	for i := 0; i < len(definition); {
		rest, length := definition[i:], 1
		switch c := rest[0]; {
		case c == '\'' || c == '"' || c == '`' || c == '[':
			length = quoted(rest)
		case strings.HasPrefix(rest, "--"):
			i += until(rest, "\n")
			text.WriteByte(' ')
			continue
		case strings.HasPrefix(rest, "/*"):
			i += 2 + until(rest[2:], "*/") // "/*/" does not close itself
			text.WriteByte(' ')
			continue
		case c == '(':
			depth++
		case c == ')':
			depth--
		case isWord(c):
			for length < len(rest) && isWord(rest[length]) {
				length++
			}
			if depth == 0 && !found && strings.EqualFold(rest[:length], "where") {
				found = true
				text.Reset()
				i += length
				continue
			}
		}
		text.WriteString(rest[:length])
		i += length
	}
	if !found {
		return ""
	}
	return strings.TrimSpace(text.String())
}

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// quoted is the length of the quoted text that s begins with. A doubled quote
// needs no care: it reads as the end of one text and the beginning of the next.
func quoted(s string) int {
	end := s[0]
	if end == '[' {
		end = ']'
	}
	return 1 + until(s[1:], string(end))
}

// until is the length of s up to and with the first end.
func until(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}
