package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// count classifies a join table's keys, and asks its rows what the catalogue leaves open.
func (a *audit) count(ctx context.Context, j *join) (err error) {
	if j.keys, err = a.classify(ctx, j.t, j.pair, j.soft); err != nil {
		return err
	}
	for _, x := range j.t.indexes {
		if others := j.t.splits(x, j.ends[0], j.ends[1], j.pair, j.soft); others != nil && j.keys.several == "" && !j.keys.sound() {
			j.keys.several = fmt.Sprintf("By %s one end comes with several %s, so a pair may be meant to be stored with several: then this is no fault. "+
				"Whether it is, and which rows would have to go, only you can say.", x.name, quoted(others))
		}
	}
	if j.keys.several == "" {
		j.keys.several = j.partial()
	}
	if j.rows < 0 && j.t.readable {
		err := a.try(ctx, func() (err error) {
			j.rows, err = a.engine.estimate(ctx, a.session, j.t)
			return err
		})
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			j.rows = -1
		}
	}
	ask := !j.keys.sound() || len(j.copies()) > 0 || j.soft != nil && j.keys.full != nil || j.t.permitsNull(j.pair)
	for i := range j.ends {
		ask = ask || a.opens(j, i)
	}
	if !ask {
		return nil
	}
	if !a.referred { // for there may be rows to remove
		a.referred = true
		if err := a.try(ctx, func() error { return a.engine.referrers(ctx, a.session, a.database) }); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			a.database.unseen = "What refers to its rows from other databases could not be seen, so none is removed."
		}
	}
	if err := a.askIfAllowed(ctx, j); err != nil {
		return err
	}
	return a.askMentions(ctx, j)
}

// askMentions asks what may refer to rows of a join table, if some may have to go.
func (a *audit) askMentions(ctx context.Context, j *join) (err error) {
	if j.facts.twice > 0 || j.facts.astray > 0 || !j.facts.counted {
		j.facts.mentioned, err = a.mentioned(ctx, j.t)
	}
	return err
}

// askIfAllowed asks a table's rows, if the role may and the table is not too large. What one
// question can't be asked does not keep the others from it.
func (a *audit) askIfAllowed(ctx context.Context, j *join) error {
	if !j.t.readable {
		a.unseen(j.t.full(), j.t.unreadable)
		return nil
	}
	if j.rows > a.options.CountUpTo {
		return nil
	}
	j.facts.counted = true
	for _, question := range []func(context.Context, *join) error{a.askPairs, a.askDead, a.askEnds, a.askCopies} {
		before := j.facts
		err := a.try(ctx, func() error { return question(ctx, j) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		if lost := a.try(ctx, func() error { return a.exec(ctx, "SELECT 1") }); lost != nil {
			return fmt.Errorf("the connection was lost while %s was looked at, run it again: %w", j.t.full(), errors.Join(lost, err))
		}
		if j.facts.counted {
			a.unseen(j.t.full(), a.reason(err))
		}
		j.facts, j.facts.counted = before, false
	}
	return nil
}

// opens says whether rows may point at nothing at an end.
func (a *audit) opens(j *join, i int) bool {
	e := j.ends[i]
	return e.to != nil && len(e.references) == len(e.columns) &&
		(e.foreign == nil || e.foreign.unvalidated || a.engine.lax() || j.t.heirs)
}

// askPairs asks how many rows there are, and which of them have a pair that others have.
func (a *audit) askPairs(ctx context.Context, j *join) error {
	w := a.engine
	from := " FROM " + w.table(j.t) + " AS j"
	anyNull := orNull(w, "j", j.pair)
	a.now("rows of ", j.t)
	if err := a.numbers(ctx, "SELECT count(*), coalesce(sum(CASE WHEN "+anyNull+" THEN 1 ELSE 0 END), 0)"+from, &j.rows, &j.facts.nulls); err != nil {
		return err
	}
	j.estimated = false
	if j.keys.sound() || j.soft != nil && j.soft.unclear {
		return nil
	}
	a.now("duplicates in ", j.t)
	statement := "SELECT count(*), coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n" + from +
		" WHERE NOT (" + anyNull + ")" + and(living(w, "j", j.soft)) +
		" GROUP BY " + names(w, "j", j.pair) + " HAVING count(*) > 1) AS d"
	if err := a.numbers(ctx, statement, &j.facts.twice, &j.facts.spare); err != nil {
		return err
	}
	if err := a.askDifferences(ctx, j); err != nil || j.facts.twice == 0 {
		return err
	}
	var r removal
	for _, f := range a.referrers(j.t) {
		if f.table != nil && f.table.readable {
			r.hung = append(r.hung, f)
		}
	}
	if r.hung == nil {
		return nil
	}
	return a.numbers(ctx, "SELECT count(*) FROM (SELECT count(*) AS n"+from+" WHERE NOT ("+anyNull+")"+and(living(w, "j", j.soft))+" AND ("+r.hangs(w, "j")+
		") GROUP BY "+names(w, "j", j.pair)+" HAVING count(*) > 1) AS d", &j.facts.tied)
}

// askDead asks for soft-deleted rows, where a key covers them.
func (a *audit) askDead(ctx context.Context, j *join) error {
	if j.soft == nil || j.soft.unclear || j.keys.full == nil {
		return nil
	}
	a.now("deleted links of ", j.t)
	return a.numbers(ctx, "SELECT count(*) FROM "+a.engine.table(j.t)+" AS j WHERE NOT ("+living(a.engine, "j", j.soft)+")", &j.facts.dead)
}

// signs are values that stand for no key.
const signs = " IN ('0', '-1', '', '00000000-0000-0000-0000-000000000000', '00000000000000000000000000000000', '*', '-', 'all', 'any', 'none', 'null', 'default', 'public', 'everyone', 'anonymous', 'system')"

// askEnds asks for rows that point at nothing.
func (a *audit) askEnds(ctx context.Context, j *join) error {
	w := a.engine
	from := "SELECT count(*) FROM " + w.table(j.t) + " AS j WHERE "
	for i, e := range j.ends {
		if !a.opens(j, i) || !e.to.readable {
			continue
		}
		a.now("dangling links of ", j.t)
		if err := a.numbers(ctx, from+dangles(w, j.t, e), &j.facts.dangling[i]); err != nil {
			return err
		}
		j.facts.points[i] = true
		if j.facts.dangling[i] == 0 || e.foreign != nil {
			continue
		}
		sign := make([]string, len(e.columns))
		for n, c := range e.columns {
			if sign[n] = "1 = 0"; !isText(j.t.column(c).typ) && j.t.column(c).typ != "uuid" && size(j.t.column(c).typ) == 0 && j.t.column(c).typ != "" {
				continue
			}
			sign[n] = w.text(dotted(w, "j", c), j.t.column(c)) + signs
		}
		err := a.numbers(ctx, from+"("+dangles(w, j.t, e)+") AND ("+strings.Join(sign, " OR ")+")", &j.facts.signs[i])
		if err == nil {
			err = a.numbers(ctx, from+"NOT ("+orNull(w, "j", e.columns)+")", &j.facts.filled[i])
		}
		if err != nil {
			return err
		}
	}
	j.facts.astray = j.facts.dangling[0] + j.facts.dangling[1]
	if j.facts.dangling[0] > 0 && j.facts.dangling[1] > 0 { // some may at both
		return a.numbers(ctx, from+"("+dangles(w, j.t, j.ends[0])+") OR ("+dangles(w, j.t, j.ends[1])+")", &j.facts.astray)
	}
	return nil
}

// askDifferences asks in what the rows of one pair differ.
func (a *audit) askDifferences(ctx context.Context, j *join) error {
	if j.facts.twice == 0 {
		return nil
	}
	a.now("differences in ", j.t)
	w := a.engine
	var selected, sums []string
	for i, c := range j.t.others(j.pair, j.soft) {
		name, number := w.text(dotted(w, "j", c), j.t.column(c)), fmt.Sprint(i)
		selected = append(selected, "CASE WHEN min("+name+") <> max("+name+") OR count("+name+") NOT IN (0, count(*)) THEN 1 ELSE 0 END AS m2msafe_"+number)
		sums = append(sums, "coalesce(sum(m2msafe_"+number+"), 0)")
		j.facts.differ = append(j.facts.differ, difference{column: c})
	}
	if sums == nil {
		return nil
	}
	into := make([]*int64, len(sums))
	for i := range j.facts.differ {
		into[i] = &j.facts.differ[i].pairs
	}
	return a.numbers(ctx, "SELECT "+strings.Join(sums, ", ")+" FROM (SELECT "+strings.Join(selected, ", ")+" FROM "+w.table(j.t)+" AS j WHERE NOT ("+
		orNull(w, "j", j.pair)+")"+and(living(w, "j", j.soft))+" GROUP BY "+names(w, "j", j.pair)+" HAVING count(*) > 1) AS d", into...)
}

// others are a table's columns in which rows of one pair may say different things: all but
// its number, and who made or changed it when.
func (t *table) others(pair []string, s *soft) []string {
	var all []string
	for _, c := range t.columns {
		if !slices.Contains(pair, c.name) && !s.has(c.name) && c.generated == "" && !t.keepsBooks(c) {
			all = append(all, c.name)
		}
	}
	return all
}

// dangles is the condition of a row "j" that points at nothing at an end.
func dangles(w writer, t *table, e link) string {
	return "NOT (" + orNull(w, "j", e.columns) + ") AND NOT EXISTS (SELECT 1 FROM " + w.table(e.to) + " AS e WHERE " + match(w, t, e, "e", "j") + ")"
}

// match is the condition that a row of an end is a join row's.
func match(w writer, t *table, l link, end, join string) string {
	parts := make([]string, len(l.columns))
	for i, c := range l.columns {
		parts[i] = w.compare(end+"."+w.quote(l.references[i]), join+"."+w.quote(c), l.to.column(l.references[i]), t.column(c))
	}
	return strings.Join(parts, " AND ")
}

// orNull is the condition that one of the columns is NULL.
func orNull(w writer, alias string, columns []string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = dotted(w, alias, c) + " IS NULL"
	}
	return strings.Join(parts, " OR ")
}

// living is the condition of a living row, "" where all are.
func living(w writer, alias string, s *soft) string {
	if s == nil || s.unclear {
		return ""
	}
	parts := make([]string, len(s.by))
	for i, c := range s.by {
		parts[i] = w.lives(dotted(w, alias, c.name), c)
	}
	return strings.Join(parts, " AND ")
}

func and(condition string) string {
	if condition == "" {
		return ""
	}
	return " AND " + condition
}

// names are columns, each with an alias in front if that is not "".
func names(w writer, alias string, columns []string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = dotted(w, alias, c)
	}
	return strings.Join(parts, ", ")
}

func dotted(w writer, alias, column string) string {
	if alias == "" {
		return w.quote(column)
	}
	return alias + "." + w.quote(column)
}
