package dsn

import "strings"

const errNoURL = ours("the DSN can't be read: it is no URL (in a password, / ? # @ and % are written as %2F %3F %23 %40 and %25)")

// readOneWay says whether what stands behind the scheme of a URL can be read in one way
// only. A password with a bare / or ? ends the authority, and its rest would be taken for
// a database, a setting or, behind a second @, a host, of which a name server is asked.
// The authority goes as far as the first of ends. Settings that are known may have a bare @
// behind a path, as in ?user=me@example.com.
func readOneWay(url, ends string, known func(key string) bool) bool {
	end := strings.IndexAny(url, ends)
	if end < 0 {
		end = len(url)
	}
	path, query, _ := strings.Cut(url[end:], "?")
	if strings.Count(url[:end], "@") > 1 || strings.Contains(path, "@") {
		return false
	}
	for setting := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(setting, "=")
		_, behind, at := strings.Cut(setting, "@")
		if at && (path == "" || !strings.Contains(value, "@") || !known(key) || strings.Contains(behind, "/")) {
			return false
		}
	}
	return true
}
