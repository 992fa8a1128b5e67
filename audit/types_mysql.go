package audit

import (
	"slices"
	"strings"
)

// differ: InnoDB has a foreign key between texts of one collation, whatever their
// lengths, and between integers of one size and sign; but none on a TEXT or BLOB.
func (*mysql) differ(c, key *column, declared bool) string {
	switch {
	case c.collation != "" && key.collation != "" && c.collation != key.collation:
		return c.collation + " for " + key.collation
	case isLob(c.typ) != isLob(key.typ):
	case c.collation != "" && key.collation != "":
		if declared || c.length >= key.length {
			return ""
		}
	case mysqlBase(c.typ) == mysqlBase(key.typ):
		return ""
	}
	return c.typ + " for " + key.typ
}

// mysqlBase is a type without a width or length.
func mysqlBase(typ string) string { return sizes.ReplaceAllString(strings.ToLower(typ), "") }

// isLob says whether a type is a TEXT or BLOB, of whatever size.
func isLob(typ string) bool {
	base := mysqlBase(typ)
	return strings.HasSuffix(base, "text") || strings.HasSuffix(base, "blob")
}

// text: a FLOAT has more digits than its text.
func (*mysql) text(name string, c *column) string {
	if strings.HasPrefix(strings.ToLower(c.typ), "float") {
		name = "CAST(" + name + " AS DOUBLE)"
	}
	return "CAST(" + name + " AS BINARY)"
}

// isNumeric says whether the database compares a type by its value.
func isNumeric(typ string) bool {
	base, _, _ := strings.Cut(mysqlBase(typ), " ")
	return size(typ) > 0 || slices.Contains([]string{"decimal", "float", "double"}, base)
}

// isClosed says whether a type can be compared with its own and with texts alone.
func isClosed(typ string) bool {
	return slices.Contains([]string{"uuid", "inet4", "inet6"}, mysqlBase(typ))
}

// compare leaves a text of an end as it is, for its index. Where types differ it takes for
// one key what the server takes for one in a join, and what a cast would take for one too,
// for what points at nothing is removed.
func (m *mysql) compare(end, join string, of, with *column) string {
	same := end + " = " + join
	if of == nil || with == nil || of.collation == with.collation && (of.collation != "" || mysqlBase(of.typ) == mysqlBase(with.typ) || isNumeric(of.typ) && isNumeric(with.typ)) {
		return same
	}
	var careful string
	switch {
	case of.collation != "" && with.collation != "":
		careful = end + " = " + converted(join, of)
		if !of.yields(with) {
			return careful
		}
		same = converted(end, with) + " = " + join // which is no illegal mix
	case of.collation != "":
		careful = end + " = " + converted(join, of)
	default:
		text, value := "CONVERT("+end+" USING utf8mb4) COLLATE utf8mb4_general_ci", "TRIM(CONVERT("+join+" USING utf8mb4)) COLLATE utf8mb4_general_ci"
		careful = text + " = " + value
		if isNumeric(of.typ) {
			careful = text + " IN (" + value + ", TRIM(LEADING '0' FROM " + value + "))"
		}
		if with.collation == "" && (isClosed(of.typ) || isClosed(with.typ)) { // an error
			return careful
		}
	}
	return "(" + same + " OR " + careful + ")"
}

// converted is a value as a text of a column's.
func converted(value string, c *column) string {
	charset, _, _ := strings.Cut(c.collation, "_")
	return "CONVERT(" + value + " USING " + charset + ") COLLATE " + c.collation
}

// yields says whether the server compares a text with another by that one's collation, and
// takes texts for one by it that are not by its own.
func (c *column) yields(to *column) bool {
	charset := func(c *column) string { before, _, _ := strings.Cut(c.collation, "_"); return before }
	if charset(c) != charset(to) {
		return charset(c) != "utf8mb4"
	}
	pads := !strings.Contains(c.collation, "_nopad_") && !strings.Contains(c.collation, "_0900_")
	return !pads && strings.HasSuffix(to.collation, "_bin")
}
