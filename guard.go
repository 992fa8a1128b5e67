package m2msafe

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// guarded is what comes before a link on a join table whose keys can't settle a
// race: an error if the options say so, else one warning a relation.
func (l *links) guarded() error {
	late := slices.ContainsFunc(l.plan.table.Keys, func(k catalog.Key) bool {
		return k.Deferrable && k.Where == "" && catalog.SameColumns(k.Columns, pairColumns(l.rel))
	})
	if l.settings.noUniqueKey == Refuse && !late {
		return l.fail(ErrNoUniqueKey, nil, l.remedy())
	}
	if _, warned := l.plans.warned.LoadOrStore(planKey{l.rel, l.rel.JoinTable}, true); warned {
		return nil
	}
	what := "has no usable unique key on the pair: m2msafe takes turns by a lock, other writers can store a link twice"
	if late {
		what = "has a deferrable unique key, which no upsert can use: m2msafe takes turns by a lock, other writers can make it fail"
	}
	l.db.Logger.Warn(l.db.Statement.Context, "m2msafe: %s: join table %s %s; %s",
		l.name(), l.rel.JoinTable.Table, what, l.remedy())
	return nil
}

// remedy is the statement that gives the table its key.
func (l *links) remedy() string {
	stmt := l.db.Statement
	var columns, name []string
	for _, ref := range l.plan.link.Refs {
		columns = append(columns, stmt.Quote(clause.Column{Name: ref.Name}))
		name = append(name, ref.Name)
	}
	table := l.rel.JoinTable.Table
	index := strings.Join(append([]string{"idx", strings.ReplaceAll(table, ".", "_")}, name...), "_")
	ddl := fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s (%s)", stmt.Quote(index), l.plan.link.Quoted, strings.Join(columns, ", "))
	for i, live := range l.plan.link.Live {
		ddl += [...]string{" WHERE ", " AND "}[min(i, 1)] + stmt.Quote(clause.Column{Name: live.Column})
		if live.Value == nil {
			ddl += " IS NULL"
		} else {
			ddl += logger.ExplainSQL(" = ?", nil, "'", live.Value)
		}
	}
	return "mend it with: " + ddl
}
