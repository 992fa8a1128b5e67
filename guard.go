package m2msafe

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// guarded is what comes before a link: on a join table whose keys can't settle a
// race, an error if the options say so, else one warning a relation.
func (l *links) guarded() error {
	if !l.plan.link.Guarded {
		return nil
	}
	if l.settings.noUniqueKey == Refuse && l.deferrable() == nil {
		l.forget() // the next call sees whether it has been mended
		return l.fail(ErrNoUniqueKey, nil, l.remedy())
	}
	if err := l.lockless(); err != nil {
		return err
	}
	if _, warned := l.plans.warned.LoadOrStore(planKey{rel: l.rel, join: l.rel.JoinTable}, true); warned {
		return nil
	}
	what := "has no usable unique key on the pair: m2msafe takes turns by a lock, other writers can store a link twice"
	if l.deferrable() != nil {
		what = "has a deferrable unique key, which no upsert can use: m2msafe takes turns by a lock, other writers can make it fail"
	}
	l.db.Logger.Warn(l.db.Statement.Context, "m2msafe: %s: join table %s %s; %s",
		l.name(), l.rel.JoinTable.Table, what, l.remedy())
	return nil
}

// guard takes turns where no unique key settles a race, and refuses an isolation
// level under which that is worth nothing.
func (l *links) guard(call *dialect.Call) error {
	guard, ok := l.plan.dialect.(dialect.Guard)
	if !l.plan.link.Guarded {
		return nil
	}
	if !ok {
		return l.lockless()
	}
	if call.Owner.Lock == "NO KEY UPDATE" {
		if err := run(l.db, ignore, func(b clause.Builder) error { return guard.Hold(b, call) }); err != nil {
			return l.databaseError(err)
		}
	}
	level := ""
	call.Lock = dialect.ForUpdate // of a Racer's look
	read := func(rows *sql.Rows) error {
		var slot string
		return rows.Scan(&level, &slot)
	}
	err := run(l.db, read, func(b clause.Builder) error { return guard.Guard(b, call) })
	if errors.Is(err, dialect.ErrNoLock) {
		return l.noLock()
	}
	if err != nil {
		return l.databaseError(err)
	}
	if level == "repeatable read" || level == "serializable" {
		return l.fail(ErrNoUniqueKey, nil, "under "+strings.ToUpper(level)+" a lock can't stand in for it: the snapshot is older than the lock; "+l.remedy())
	}
	return nil
}

// lockless is noLock where the database is never one to take turns by.
func (l *links) lockless() error {
	if _, none := l.plan.dialect.(dialect.Lockless); none {
		return l.noLock()
	}
	return nil
}

// noLock is the error of a table that nothing can be locked for.
func (l *links) noLock() error {
	l.forget()
	return l.fail(ErrNoUniqueKey, nil, "this database has nothing to lock in its stead; "+l.remedy())
}

// deferrable is the table's deferrable key on the pair.
func (l *links) deferrable() *catalog.Key {
	i := slices.IndexFunc(l.plan.table.Keys, func(k catalog.Key) bool {
		return k.Deferrable && k.Where == "" && catalog.SameColumns(k.Columns, pairColumns(l.rel))
	})
	if i < 0 {
		return nil
	}
	return &l.plan.table.Keys[i]
}

// remedy is the statement that gives the table a usable key.
func (l *links) remedy() string {
	var columns, names []string
	for _, ref := range l.plan.link.Refs {
		columns, names = append(columns, l.exactly(ref.Name)), append(names, ref.Name)
	}
	on := "(" + strings.Join(columns, ", ") + ")"
	if key := l.deferrable(); key != nil {
		kind := map[bool]string{true: "PRIMARY KEY", false: "UNIQUE"}[key.Primary]
		constraint := l.exactly(key.Name)
		return fmt.Sprintf("mend it with: ALTER TABLE %s DROP CONSTRAINT %s, ADD CONSTRAINT %s %s %s",
			l.plan.link.Quoted, constraint, constraint, kind, on)
	}
	// An index is made in its table's schema; SQLite wants that said of the
	// index, PostgreSQL of the table.
	index, quoted := l.exactly(l.indexName(l.rel.JoinTable.Table, names)), l.plan.link.Quoted
	if _, ok := l.plan.dialect.(dialect.Opener); ok {
		if names := catalog.Names(quoted); len(names) == 2 {
			index, quoted = l.exactly(names[0])+"."+index, l.exactly(names[1])
		}
	}
	ddl := fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s %s", index, quoted, on)
	if !l.plan.table.Predicates() {
		return "mend it with: " + ddl // dead rows are revived
	}
	for i, live := range l.plan.link.Live {
		ddl += [...]string{" WHERE ", " AND "}[min(i, 1)] + l.exactly(live.Column)
		if live.Value == nil {
			ddl += " IS NULL"
		} else {
			ddl += logger.ExplainSQL(" = ?", nil, "'", live.Value)
		}
	}
	return "mend it with: " + ddl
}

// exactly quotes one name, whatever is in it. GORM's quoting takes dots for separators,
// and quotes at the ends of a name for its own.
func (l *links) exactly(name string) string {
	switch mark := l.plan.link.Quoted[:1]; mark {
	case "`", `"`:
		return mark + strings.ReplaceAll(name, mark, mark+mark) + mark
	}
	return name // a driver that is told not to quote
}

// indexName is what the app's own migrations would call an index: short enough, and
// without dots.
func (l *links) indexName(table string, columns []string) string {
	return l.db.NamingStrategy.IndexName(table, strings.Join(columns, "_"))
}
