package pgtest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// withSettings returns dsn with the settings added, in place of any of the same
// name. dsn is a URL or a keyword string, the two forms that libpq and pgx take.
func withSettings(dsn string, settings map[string]string) (string, error) {
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)

	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		// Of a keyword given twice the last one counts.
		for _, name := range names {
			dsn = strings.TrimSpace(dsn + " " + name + "=" + quote(settings[name]))
		}
		return dsn, nil
	}
	// Not url.Parse: a URL of several hosts with ports is none to net/url.
	address, rawQuery, _ := strings.Cut(dsn, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", fmt.Errorf("the query of the DSN's URL: %w", err)
	}
	for _, name := range names {
		query.Set(name, settings[name])
	}
	// To libpq a plus is a plus, not a space.
	return address + "?" + strings.ReplaceAll(query.Encode(), "+", "%20"), nil
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_.,-]+$`)

// quote quotes a value of a keyword string where it has to be.
func quote(value string) string {
	if plain.MatchString(value) {
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
