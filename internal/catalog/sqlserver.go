package catalog

import (
	"database/sql"
	"fmt"
	"strings"
)

// Lengths are left out of text types, which are not cast: a cast would cut.
const (
	serverColumns = `SELECT c.name, CASE
WHEN t.name IN ('decimal', 'numeric') THEN concat(t.name, '(', c.precision, ',', c.scale, ')')
WHEN t.name IN ('datetime2', 'datetimeoffset', 'time') THEN concat(t.name, '(', c.scale, ')')
WHEN t.name IN ('bigint', 'int', 'smallint', 'tinyint', 'bit', 'uniqueidentifier', 'date') THEN t.name ELSE '' END,
coalesce(has_perms_by_name(@p1, 'OBJECT', 'SELECT'), 0)
FROM sys.columns AS c JOIN sys.types AS t ON t.user_type_id = c.system_type_id
WHERE c.object_id = object_id(@p1) ORDER BY c.column_id`
	serverKeys = `SELECT i.name, i.is_primary_key, coalesce(i.filter_definition, ''), c.name
FROM sys.indexes AS i JOIN sys.index_columns AS x ON x.object_id = i.object_id AND x.index_id = i.index_id AND x.is_included_column = 0
JOIN sys.columns AS c ON c.object_id = x.object_id AND c.column_id = x.column_id
WHERE i.object_id = object_id(@p1) AND i.is_unique = 1 AND i.is_disabled = 0
ORDER BY i.is_primary_key DESC, i.name, x.key_ordinal`
)

// SQLServer reads a table by its quoted name. It returns nil without an error if
// there is none. Column.Type is empty for types that are not cast.
func SQLServer(query Query, quoted string) (*Table, error) {
	table := &Table{}
	table.holds = table.holdsSQLServer
	rows, err := query(serverColumns, quoted)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var column Column
		err := rows.Scan(&column.Name, &column.Type, &table.CanSelect)
		table.MaySelect = table.CanSelect
		table.Columns = append(table.Columns, column)
		return err
	})
	if err != nil || len(table.Columns) == 0 {
		return nil, err
	}
	rows, err = query(serverKeys, quoted)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var key Key
		var column string
		if err := rows.Scan(&key.Name, &key.Primary, &key.Where, &column); err != nil {
			return err
		}
		// The server writes a filter's columns in brackets, always.
		for _, c := range table.Columns {
			if strings.Contains(key.Where, "["+strings.ReplaceAll(c.Name, "]", "]]")+"]") {
				key.WhereColumns = append(key.WhereColumns, c.Name)
			}
		}
		table.addKeyColumn(key, column)
		return nil
	})
	return table, err
}

func (t *Table) holdsSQLServer(query Query, key *Key, columns []string, values []any) (holds bool, err error) {
	var row []string
	for i, c := range columns {
		value := fmt.Sprintf("@p%d", i+1)
		if column := t.Column(c); column == nil {
			return false, nil
		} else if column.Type != "" {
			value = "CAST(" + value + " AS " + column.Type + ")"
		}
		row = append(row, value+" AS "+quote(c))
	}
	rows, err := query("SELECT CASE WHEN "+key.Where+" THEN 1 ELSE 0 END FROM (SELECT "+strings.Join(row, ", ")+") AS r", values...)
	err = scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&holds) })
	return holds, err
}
