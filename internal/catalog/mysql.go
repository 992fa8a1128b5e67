package catalog

import (
	"database/sql"
	"slices"
	"strings"
)

// mysqlColumns has the role's privileges on each column as a list. MariaDB and
// MySQL show no column of a table that the role may do nothing with.
const mysqlColumns = `SELECT column_name, column_type, data_type, coalesce(character_set_name, ''), coalesce(collation_name, ''),
coalesce(datetime_precision, 0), extra, privileges
FROM information_schema.columns WHERE table_schema = coalesce(nullif(?, ''), database()) AND table_name = ? ORDER BY ordinal_position`

// mysqlKeys leaves out what is unique in name only: a key of a prefix (sub_part).
// One of an expression has no column.
const mysqlKeys = `SELECT index_name, coalesce(column_name, ''), sub_part IS NOT NULL
FROM information_schema.statistics WHERE non_unique = 0 AND table_schema = coalesce(nullif(?, ''), database()) AND table_name = ?
ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index`

// MySQL reads a table of a database of the MySQL family by its quoted name. It
// returns nil without an error if there is none. Column.Type is the expression that makes a parameter, a
// question mark, what the column would hold. Foreign keys play no part: the
// database looks at them row by row, and what they refuse leaves the transaction
// as it was. MySQL does not tell columns by case: see [SQLite].
func MySQL(query Query, quoted string, spellings []string) (*Table, error) {
	database, name, err := split(quoted)
	if err != nil {
		return nil, err
	}
	table := &Table{CanSelect: true, CanLock: true}
	counted := map[string]bool{}
	rows, err := query(mysqlColumns, database, name)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var column, typ, data, charset, collation, extra, privileges string
		var precision int
		if err := rows.Scan(&column, &typ, &data, &charset, &collation, &precision, &extra, &privileges); err != nil {
			return err
		}
		column = spelled(spellings, column)
		may := func(what string) bool { // go-mysql-server does not say
			return privileges == "" || slices.Contains(strings.Split(strings.ToLower(privileges), ","), what)
		}
		table.MaySelect = table.MaySelect || may("select")
		table.CanSelect = table.CanSelect && may("select")
		table.CanLock = table.CanLock && may("update")
		table.Columns = append(table.Columns, Column{Name: column, Type: mysqlCast(strings.ToLower(typ), strings.ToLower(data), charset, collation)})
		counted[column] = strings.Contains(strings.ToLower(extra), "auto_increment")
		return nil
	})
	if err != nil || len(table.Columns) == 0 {
		return nil, err
	}
	last := ""
	rows, err = query(mysqlKeys, database, name)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var index, column string
		var prefix bool
		if err := rows.Scan(&index, &column, &prefix); err != nil {
			return err
		}
		if index != last {
			table.Keys = append(table.Keys, Key{Name: index, Primary: index == "PRIMARY"})
			last = index
		}
		key := &table.Keys[len(table.Keys)-1]
		if prefix {
			column = ""
		}
		if column != "" {
			column = spelled(spellings, column)
		}
		key.Columns = append(key.Columns, column)
		key.Counted = key.Counted || counted[column]
		return nil
	})
	return table, err
}

// mysqlCast is how a parameter becomes a value of a column's type, so that it is
// compared as the stored one will be: rounded, and under the column's collation,
// which a derived table would not know of otherwise (error 1267).
func mysqlCast(typ, data, charset, collation string) string {
	_, size, _ := strings.Cut(typ, "(")
	size, _, _ = strings.Cut(size, ")")
	switch data {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		if strings.Contains(typ, "unsigned") {
			return "CAST(? AS UNSIGNED)"
		}
		return "CAST(? AS SIGNED)"
	case "decimal":
		return "CAST(? AS DECIMAL(" + size + "))"
	case "date":
		return "CAST(? AS DATE)"
	case "datetime", "timestamp":
		return "CAST(? AS DATETIME(" + orZero(size) + "))"
	case "time":
		return "CAST(? AS TIME(" + orZero(size) + "))"
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return "CAST(? AS BINARY)"
	case "uuid":
		return "CAST(? AS UUID)"
	}
	switch {
	case charset == "" || collation == "":
		return "?"
	case charset == "utf8mb4":
		return "CONVERT(? USING utf8mb4) COLLATE " + collation
	default:
		// A character that the column can't hold becomes a question mark, which may
		// be another row's: such a value is nobody's.
		converted := "CONVERT(? USING " + charset + ")"
		return "IF(CONVERT(" + converted + " USING utf8mb4) COLLATE utf8mb4_bin = ?, " + converted + ", NULL) COLLATE " + collation
	}
}

func orZero(size string) string {
	if size == "" {
		return "0"
	}
	return size
}

// Galera says whether a MariaDB server is a node of a Galera cluster.
func Galera(query Query) (on bool, err error) {
	rows, err := query("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		on = value == "ON" || value == "1"
		return err
	})
	return on, err
}

// InTransaction says whether the connection to a MariaDB server is in a transaction.
func InTransaction(query Query) (open bool, err error) {
	rows, err := query("SELECT @@in_transaction")
	err = scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&open) })
	return open, err
}
