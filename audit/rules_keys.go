package audit

import (
	"fmt"
	"slices"
)

// duplicates: pairs that are stored twice.
func (a *audit) duplicates(j *join) []found {
	if j.facts.twice == 0 {
		return nil
	}
	f := j.finding(DuplicatePairs, Error, j.pair)
	if j.open() {
		f.Severity = Warning
	}
	f.Rows, f.Estimated = j.facts.spare, false
	f.Title = counted(j.facts.twice, "pair is stored", "pairs are stored") + " more than once"
	f.Story = fmt.Sprintf("Of these rows %s too many. A list of links shows them twice, a count is too high, and code that expects one row finds two. "+
		"As long as they are there no unique key can be made.", counted(j.facts.spare, "is", "are"))
	if columns, pairs := j.differences(); pairs > 0 {
		f.Story += fmt.Sprintf(" Rows of %s differ in %s.", counted(pairs, "pair", "pairs"), quoted(columns))
	}
	f.does = " The fix keeps " + a.kept(j) + ", and puts the others into a table of their own. If each stands for a thing of its own, as a piece in a cart, leave it." + a.hungOn(j)
	f.mend = func() change { return a.removeDuplicates(j) }
	return []found{f}
}

// open says that pairs may be meant to be stored more than once.
func (j *join) open() bool { return j.keys.several != "" || !j.sure }

// differences are the columns in which rows of one pair differ, and of how many pairs at
// least.
func (j *join) differences() (columns []string, pairs int64) {
	for _, d := range j.facts.differ {
		if d.pairs > 0 {
			columns, pairs = append(columns, d.column), max(pairs, d.pairs)
		}
	}
	return columns, pairs
}

// uniqueKey: nothing keeps pairs apart, or what does so is of little use.
func (a *audit) uniqueKey(j *join) []found {
	k := &j.keys
	var f found
	switch {
	case k.sound():
		if nulls := j.facts.nulls; nulls > 0 && len(k.narrow) == 0 && j.t.nullables(j.pair) == nil { // SQLite's primary key
			f = a.nullable(j)
			f.mend = func() change { return a.permitNoNull(j) }
			return []found{f}
		}
		return nil
	case k.faulty == nil && k.excluded != nil:
		f = j.finding(NoUniqueKey, Warning, j.pair)
		f.Title = "An exclusion constraint keeps pairs apart, and no unique key"
		f.Story = fmt.Sprintf("%s keeps a pair from being stored twice, but ON CONFLICT (%s) can't name it and fails with 42P10, so that get_or_create and upserts meet its error.", k.excluded.constraint, quoted(j.pair))
	case k.faulty == nil && j.soft != nil:
		f = j.finding(SoftDeleteNoKey, Error, j.pair)
		if j.open() {
			f.Severity = Warning
		}
		f.Title = "Nothing keeps a living pair from being stored twice"
		f.Story = fmt.Sprintf("Rows are deleted by %s, and no unique key covers the living ones. Two requests that link the same pair at once both succeed, and the link is there twice. "+
			"A unique key with a column that is NULL in living rows is no help: NULL is never equal to NULL.", quoted(j.soft.columns()))
	case k.faulty == nil:
		f = j.finding(NoUniqueKey, Error, j.pair)
		f.Title = "Nothing keeps a pair from being stored twice"
		if j.open() {
			f.Severity = Warning
		}
		f.Story = fmt.Sprintf("There is no unique key on (%s). Two requests that link the same pair at once both find nothing and both insert: the link is there twice. "+
			"get_or_create, ON CONFLICT and upserts can't help, for they all rest on such a key.", quoted(j.pair))
	default:
		f = a.faulty(j)
	}
	if len(k.invalid) > 0 {
		f.Story += " The index " + k.invalid[0].name + " is invalid, left behind by a CREATE INDEX CONCURRENTLY that failed or still runs, and keeps nothing apart."
	}
	if k.faulty != nil && k.faulty.primary && j.keyToCome() {
		f.does += noPrimaryKey
	}
	if columns := j.merged(); len(columns) > 0 {
		f.does += fmt.Sprintf(" After the fix rows of one pair that differ in %s can't stand beside each other any more: if they are meant to, leave it.", quoted(columns))
	}
	if !j.facts.counted && k.fault != DeferrableUniqueKey && k.fault != NullableUniqueKey {
		f.Story += " Whether pairs are stored twice was not counted."
		f.does += " The fix looks for rows that are the same first, and fails where others are left."
	}
	if !j.sure && k.several == "" && j.facts.twice == 0 {
		f.Story += " By its name the table may hold events, of which a pair has several: then this is no fault."
		f.does += " Leave the fix then."
	}
	if nulls := j.facts.nulls; nulls > 0 && f.Rule != NullableUniqueKey {
		f.Story += fmt.Sprintf(" NULL stands in the pair of %s, which a unique key lets stand beside each other.", counted(nulls, "row", "rows"))
	}
	f.mend = func() change { return a.mendKey(j) }
	return []found{f}
}

// merged are the columns in which rows of one pair may be meant to differ, and can't once
// there is a new key on the pair. Where rows do, no key is made.
func (j *join) merged() []string {
	if !j.keyToCome() || j.keys.several != "" || !j.facts.counted || j.facts.twice > 0 {
		return nil
	}
	return j.t.others(j.pair, j.soft)
}

// faulty is the finding about a unique key that is not enough.
func (a *audit) faulty(j *join) found {
	x := j.keys.faulty
	f := j.finding(j.keys.fault, Warning, j.pair)
	switch j.keys.fault {
	case NullableUniqueKey:
		return a.nullable(j)
	case PartialUniqueKey:
		f.Title = "The unique key on the pair covers some rows only"
		f.Story = fmt.Sprintf("%s holds only for rows WHERE %s. All others can be stored twice, and an ON CONFLICT (%s) without that condition fails with 42P10.",
			x.name, x.where, quoted(j.pair))
		if x.where == "" { // see table.heirs
			f.Story = fmt.Sprintf("Other tables inherit from this one, and %s holds for its own rows only: the same pair can be stored in them too.", x.name)
		}
		if x.foreign {
			f.Story += " It runs functions that are not the database's own, which the audit does not: whether it holds for all living rows it can't say."
		}
	case DeferrableUniqueKey:
		f.Title = "The unique key on the pair is deferrable"
		f.Story = fmt.Sprintf("%s can be checked as late as at COMMIT. PostgreSQL refuses it for ON CONFLICT (55000), so every upsert of a link fails; "+
			"and what fails at COMMIT takes the whole transaction with it.", x.constraint)
	case ExpressionUniqueKey:
		f.Title = "The unique key on the pair is on expressions"
		if x.prefixed {
			f.Title = "The unique key on the pair looks at the beginnings of its columns"
			f.Story = fmt.Sprintf("%s takes two pairs for one that only begin alike: the second is refused, or, by ON DUPLICATE KEY, silently not there.", x.name)
			break
		}
		f.Story = fmt.Sprintf("%s keeps equal pairs apart, but ON CONFLICT (%s) does not find it and fails, and where an expression is NULL it keeps nothing apart.", x.name, quoted(j.pair))
		f.does = " The fix adds a key on the columns themselves. The one on expressions stays: it may say more than that."
	}
	return f
}

// nullable is the finding about a pair whose columns permit NULL.
func (a *audit) nullable(j *join) found {
	columns := j.t.nullables(j.pair)
	if columns == nil { // in SQLite's primary key
		columns = slices.DeleteFunc(slices.Clone(j.pair), func(c string) bool { return !j.t.column(c).nullable })
	}
	f := j.finding(NullableUniqueKey, Warning, columns)
	f.Title = "NULL is permitted in " + quoted(columns)
	f.Story = "NULL is never equal to NULL, so the unique key lets a row with one be stored again and again, and such a row links nothing."
	if !j.facts.counted {
		return f
	}
	f.Rows, f.Estimated = j.facts.nulls, false
	if j.facts.nulls > 0 {
		f.Story += fmt.Sprintf(" %s stored.", counted(j.facts.nulls, "such row is", "such rows are"))
	} else {
		f.Story += " There is no such row yet. If NULL is to mean something to the app, leave it."
	}
	return f
}

// permitNoNull makes the pair's columns NOT NULL. What rows with NULL mean nobody knows but
// who has written them: all groups, say, or a group that is gone.
func (a *audit) permitNoNull(j *join) change {
	columns := slices.DeleteFunc(slices.Clone(j.pair), func(c string) bool { return !j.t.column(c).nullable })
	if len(columns) == 0 {
		return change{}
	}
	for _, e := range j.ends {
		if e.foreign != nil && e.foreign.onDelete == "SET NULL" {
			return cannot("A foreign key on " + quoted(e.columns) + " is ON DELETE SET NULL, which needs the column to permit NULL. Make it ON DELETE CASCADE first.")
		}
	}
	if j.facts.nulls > 0 {
		return cannot("Only you can say what they mean. If nothing, remove the rows WHERE " + orNull(a.engine, "", j.pair) + " and audit again: then the fix makes the columns NOT NULL.")
	}
	return a.engine.notNull(a.maker, j.t, columns)
}

// refuseNull does so before a key is made, if nothing is in the way.
func (a *audit) refuseNull(j *join) change {
	if !j.facts.counted {
		return change{}
	}
	c := a.permitNoNull(j)
	if c.cannot != "" {
		return change{}
	}
	return c
}

// undeferred says that the key which is there will do once it is checked at once.
func (j *join) undeferred() bool {
	k := &j.keys
	return k.fault == DeferrableUniqueKey && j.soft == nil && len(k.faulty.columns) == len(j.pair)
}

// notNull says that it will once its columns are NOT NULL.
func (j *join) notNull() bool {
	k := &j.keys
	return k.fault == NullableUniqueKey && (j.soft == nil || len(k.faulty.columns) > len(j.pair) || k.faulty.where != "")
}

// keyToCome says that mendKey makes a new key.
func (j *join) keyToCome() bool {
	return !j.keys.sound() && !(j.keys.faulty != nil && (j.undeferred() || j.notNull()))
}

// mendKey makes the unique key that is missing, in the place of one that is not enough.
func (a *audit) mendKey(j *join) change {
	k := &j.keys
	switch {
	case k.several != "":
		return cannot(k.several)
	case j.facts.twice > 0 && a.undecided(j) != "":
		return cannot("It can't be made before the pairs that are stored more than once are gone.")
	case j.facts.tied > 0:
		return cannot("It can't be made before " + counted(j.facts.tied, "pair has", "pairs have") + " one row that others refer to, and not several.")
	case j.soft != nil && j.soft.unclear:
		return cannot(j.soft.unknown())
	case !j.sure && j.facts.counted && j.rows == 0:
		return cannot("No row tells yet which it is: if it holds links, have it audited by its name (--table, Options.Tables).")
	}
	var c change
	if j.notNull() {
		c = a.permitNoNull(j)
	} else {
		c = a.refuseNull(j)
	}
	if j.undeferred() {
		return c.then(a.engine.undefer(a.maker, j.t, k.faulty))
	}
	if !j.facts.counted && k.fault != DeferrableUniqueKey && k.fault != NullableUniqueKey {
		c = c.then(a.removeDuplicates(j))
	}
	for _, x := range k.invalid {
		c = c.then(a.engine.drop(a.maker, j.t, x))
	}
	if j.notNull() {
		return c
	}
	c = c.then(a.addUnique(j))
	if k.faulty != nil && (k.fault != ExpressionUniqueKey || k.faulty.prefixed) {
		c = c.then(a.engine.drop(a.maker, j.t, k.faulty))
	}
	return c
}

// addUnique makes a unique key on the pair.
func (a *audit) addUnique(j *join) change {
	columns := a.leading(j)
	j.t.planned.indexed = append(j.t.planned.indexed, columns)
	return a.engine.unique(a.maker, j.t, columns, j.soft)
}

// addIndex makes an index that begins with columns, unless a fix has.
func (a *audit) addIndex(t *table, columns []string) change {
	if slices.ContainsFunc(t.planned.indexed, func(c []string) bool { return begin(c, columns) }) {
		return change{}
	}
	t.planned.indexed = append(t.planned.indexed, columns)
	return a.engine.index(a.maker, t, columns)
}

// begin says whether columns begin with others.
func begin(columns, others []string) bool {
	return len(columns) >= len(others) && slices.Equal(columns[:len(others)], others)
}

// leading are the pair's columns for a new key, that end first which no index begins with
// any more, once the keys that go for it are gone.
func (a *audit) leading(j *join) []string {
	gone := slices.Clone(j.keys.narrow)
	for _, x := range []*index{j.keys.faulty, j.keys.full} {
		if x != nil && (x != j.keys.full || j.soft != nil) {
			gone = append(gone, x)
		}
	}
	first, second := j.ends[0].columns, j.ends[1].columns
	if j.t.led(first, gone...) && !j.t.led(second, gone...) {
		first, second = second, first
	}
	return pairOf(pairOf(first, second), j.pair)
}

// led says whether an index begins with the columns, but for some.
func (t *table) led(columns []string, but ...*index) bool {
	return slices.ContainsFunc(t.indexes, func(x *index) bool {
		return x.where == "" && x.leads(columns) && !slices.Contains(but, x)
	})
}
