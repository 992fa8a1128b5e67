package m2msafe

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// keyText is a key as an error's text shows it, on one line: 7, or (7, "en").
func keyText(key []any) string {
	parts := make([]string, len(key))
	for i, v := range key {
		parts[i] = valueText(v)
	}
	return inParentheses(parts)
}

// valueText is a value as the database sees it; texts are quoted, bytes are in hex.
func valueText(v any) string {
	text, null, err := dialect.Text(v, "")
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(v))
	}
	if null {
		return "NULL"
	}
	switch of := reflect.Indirect(reflect.ValueOf(v)); {
	case of.CanInt(), of.CanUint(), of.CanFloat(), of.Kind() == reflect.Bool, of.Type() == reflect.TypeFor[time.Time]():
		return text
	case of.Kind() == reflect.Slice || of.Kind() == reflect.Array:
		if hex, ok := strings.CutPrefix(text, `\x`); ok {
			return hex
		}
	}
	return fmt.Sprintf("%q", text)
}

func inParentheses(parts []string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// shown is a key as an error's text shows it: through the filter that db's logger has
// for the parameters of statements, if it has one. Errors are logged too. whole says
// that nothing is left out.
func shown(db *gorm.DB, key []any) (text string, whole bool) {
	filter, ok := db.Logger.(gorm.ParamsFilter)
	if !ok {
		return keyText(key), true
	}
	marks := slices.Repeat([]string{"?"}, len(key))
	_, left := filter.ParamsFilter(db.Statement.Context, inParentheses(marks), slices.Clone(key)...)
	if len(left) != len(key) {
		return inParentheses(marks), false
	}
	text = keyText(left)
	return text, text == keyText(key)
}

// keyText is a key in the text of an error of this relation.
func (l *links) keyText(key []any) string {
	text, _ := shown(l.db, key)
	return text
}

var errUnfit = errors.New("it does not fit")

// withoutValue is a field's error over a value, of which GORM's own shows the value.
func withoutValue(db *gorm.DB, value any, err error) error {
	if _, whole := shown(db, []any{value}); !whole {
		return errUnfit
	}
	return err
}
