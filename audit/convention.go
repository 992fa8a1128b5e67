package audit

import (
	"slices"
	"strings"
)

// convention says whose names a join table has; "foreign keys" if they are
// nobody's, or "names" where it has none.
func convention(t *table, ends [2]link) string {
	if isPrisma(t) {
		return "Prisma"
	}
	a, b := ends[0], ends[1]
	nobody := "foreign keys"
	if a.foreign == nil && b.foreign == nil {
		nobody = "names"
	}
	if len(a.columns) != 1 || len(b.columns) != 1 {
		return nobody
	}
	named := named(t, namesOf(a), namesOf(b), true)
	x, y := stem(a.columns[0]), stem(b.columns[0])
	id := slices.ContainsFunc(t.columns, func(c column) bool { return c.name == "id" })
	camel := strings.ToLower(a.columns[0]) != a.columns[0] && !strings.Contains(a.columns[0], "_")
	plural := func(s []string, l link) bool {
		name := s[len(s)-1]
		return strings.HasSuffix(name, "s") && l.to != nil && !strings.HasSuffix(strings.ToLower(strings.TrimSuffix(l.columns[0], "_id")), "ss") && sameWords(s, lastWords(l.to.name, len(s)))
	}
	switch {
	case x == nil || y == nil:
		return nobody
	case camel && named:
		return "Sequelize"
	case named && (plural(x, a) || plural(y, b)):
		return "Hibernate"
	case id && (isDjango(t, a) || isDjango(t, b)):
		return "Django"
	case !named:
		return nobody
	case !id && isRails(t, a, b):
		return "Rails"
	case slices.ContainsFunc(t.foreign, func(f *foreignKey) bool {
		return strings.HasPrefix(f.name, t.name+"_") && strings.HasSuffix(f.name, "_id")
	}):
		return "Ent"
	case t.primaryKey() != nil && len(t.primaryKey().columns) == 2 || id:
		return "GORM"
	}
	return nobody
}

// isDjango says whether a table is called after the model at an end, which is called
// after its app: blog_article_publications.
func isDjango(t *table, l link) bool {
	return l.to != nil && len(words(l.to.name)) > 1 && strings.HasPrefix(t.name, l.to.name+"_")
}

// isRails says whether a table is called after two others, in the order of the alphabet.
func isRails(t *table, a, b link) bool {
	if a.to == nil || b.to == nil {
		return false
	}
	names := []string{a.to.name, b.to.name}
	slices.Sort(names)
	return t.name == strings.Join(names, "_")
}

func lastWords(name string, n int) []string {
	all := words(name)
	return all[max(0, len(all)-n):]
}
