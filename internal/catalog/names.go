package catalog

import (
	"fmt"
	"strings"
)

// Names are those in a text that GORM has quoted: a table's, and its schema's in front
// of it if it has one. They are nil if the text is anything else: GORM leaves some
// names open, or takes a quote in front for one of its own.
func Names(quoted string) (names []string) {
	for quoted != "" {
		mark := quoted[:1]
		if mark != "`" && mark != `"` {
			return nil
		}
		var name strings.Builder
		rest := quoted[1:]
		for {
			text, behind, closed := strings.Cut(rest, mark)
			if !closed {
				return nil
			}
			name.WriteString(text)
			if rest = behind; !strings.HasPrefix(rest, mark) {
				break
			}
			name.WriteString(mark)
			rest = rest[1:]
		}
		names = append(names, name.String())
		if rest == "" {
			return names
		}
		if rest[0] != '.' {
			return nil
		}
		quoted = rest[1:]
	}
	return nil
}

// split is a table's name, and its schema's or "", of the quoted text.
func split(quoted string) (schema, table string, err error) {
	switch names := Names(quoted); len(names) {
	case 1:
		return "", names[0], nil
	case 2:
		return names[0], names[1], nil
	}
	return "", "", fmt.Errorf("%s is no name of a table", quoted)
}
