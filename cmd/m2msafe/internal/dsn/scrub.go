package dsn

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Hidden stands where a credential stood.
const Hidden = "•••"

// Scrubber takes credentials out of texts. Drivers' errors may hold them, whole or,
// where a DSN could not be read, in parts.
type Scrubber struct {
	secrets []string // the longest first
}

const hiddenSetting = `(?:\w*(?:password|passwd|pwd|secret|token)\w*|(?:hex|text)?key)`

var (
	// secretSettings and secretKeywords find settings whose values are secrets, in a URL's
	// query and in a keyword string, of which only a blank ends a value: settings of libpq,
	// of go-sql-driver and of SQLite's encrypting file systems.
	secretSettings = regexp.MustCompile(`(?i)(?:^|[\s?&;])` + hiddenSetting + `\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&;]*)`)
	secretKeywords = regexp.MustCompile(`(?i)(?:^|\s)` + hiddenSetting + `\s*=\s*(\S*)`)
	endsInSecret   = regexp.MustCompile(`(?i)(?:^|\s)` + hiddenSetting + `\s*=\s*[^\s']*$`)
	isSecret       = regexp.MustCompile(`(?i)^` + hiddenSetting + `$`)
	scheme         = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
)

// ScrubberOf knows the secrets of what may be DSNs, or pieces of one: a shell takes one
// apart that was not quoted.
func ScrubberOf(texts ...string) (s Scrubber) {
	inPassword := false // with blanks in it
	for _, text := range texts {
		if inPassword = inPassword && !strings.HasPrefix(text, "-") && !keywords.MatchString(text); inPassword {
			s.add(text)
		}
		inPassword = inPassword || endsInSecret.MatchString(text)
		for _, secret := range scrubberOf(text).secrets {
			s.add(secret)
		}
	}
	return s
}

// scrubberOf knows the secrets of a DSN as it is written, which may be wrong.
func scrubberOf(dsn string) Scrubber {
	var s Scrubber
	found := append(secretSettings.FindAllStringSubmatch(dsn, -1), secretKeywords.FindAllStringSubmatch(dsn, -1)...)
	for _, found := range found {
		if found[1] == "true" || found[1] == "false" {
			continue // as in allowCleartextPasswords=true
		}
		s.add(found[1])
		s.add(strings.Trim(found[1], "'"))
		s.add(strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(strings.Trim(found[1], "'")))
	}
	// The password of a URL and of go-sql-driver's form is between a colon and an @. Which
	// ones is not certain in a DSN that is wrong, and a password may hold both; it may even
	// make a scheme of the user in front of it.
	if user := strings.LastIndexByte(dsn, '@'); user >= 0 {
		for password := dsn[:user]; ; {
			var ok bool
			if _, password, ok = strings.Cut(password, ":"); !ok {
				break
			}
			s.add(password)
			for part := range strings.SplitSeq(password, "@") {
				s.add(part)
			}
		}
	}
	if len(s.secrets) > 0 {
		s.add(dsn)
	}
	s.add(os.Getenv("PGPASSWORD"))
	return s
}

// add adds a secret in the forms in which it may be printed.
func (s *Scrubber) add(secret string) {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]}
	if plain, err := url.PathUnescape(secret); err == nil {
		forms = append(forms, plain)
	}
	if plain, err := url.QueryUnescape(secret); err == nil {
		forms = append(forms, plain)
	}
	for _, form := range forms {
		if form != "" && !slices.Contains(s.secrets, form) {
			s.secrets = append(s.secrets, form)
		}
	}
	slices.SortStableFunc(s.secrets, func(a, b string) int { return len(b) - len(a) })
}

// Clean is text without the secrets. One of less than four characters is taken out
// only where it is a word: it would be in most texts by chance.
func (s Scrubber) Clean(text string) string {
	for _, secret := range s.secrets {
		if utf8.RuneCountInString(secret) > 3 {
			text = strings.ReplaceAll(text, secret, Hidden)
			continue
		}
		text = replaceWord(text, secret)
	}
	return text
}

// replaceWord hides word where no letter or digit stands beside it.
func replaceWord(text, word string) string {
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
	var out strings.Builder
	for end := 0; ; {
		at := strings.Index(text[end:], word)
		if at < 0 {
			return out.String() + text[end:]
		}
		begin := end + at
		out.WriteString(text[end:begin])
		end = begin + len(word)
		before, _ := utf8.DecodeLastRuneInString(text[:begin])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if inWord(before) || inWord(after) {
			out.WriteString(word)
		} else {
			out.WriteString(Hidden)
		}
	}
}
