package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// splitLookup is the table of an entry of [Options.Lookups], and its columns.
func splitLookup(text string) (table string, columns []string) {
	i := strings.LastIndexByte(text, '.')
	if i < 0 {
		return text, nil
	}
	return text[:i], strings.Split(text[i+1:], ",")
}

// lookups: columns by which the app looks targets up, and that nothing keeps unique.
func (a *audit) lookups(ctx context.Context) error {
	for _, text := range a.options.Lookups {
		name, columns := splitLookup(text)
		t := a.database.find(name)
		if t == nil || len(columns) == 0 || slices.ContainsFunc(columns, func(c string) bool { return t.column(c) == nil }) {
			a.unseen(name, "there is no "+text+", or no privilege on it")
			continue
		}
		a.now("", t)
		if err := a.lookup(ctx, t, columns); err != nil {
			return err
		}
		a.done++
	}
	return nil
}

func (a *audit) lookup(ctx context.Context, t *table, columns []string) error {
	j := &join{t: t, pair: columns, soft: softDeletion(t), rows: t.rows, estimated: true}
	k, err := a.classify(ctx, t, columns, j.soft)
	if err != nil {
		return err
	}
	if k.sound() || k.fault == NullableUniqueKey { // rows without a name are nobody's
		return nil
	}
	j.keys = k
	if err := a.askIfAllowed(ctx, j); err != nil {
		return err
	}
	f := j.finding(LookupNotUnique, Warning, columns)
	f.Title = "Nothing keeps " + quoted(columns) + " unique"
	f.Story = fmt.Sprintf("Rows of %s are looked up by %s, and made if there is none. Two requests that do so at once make two, and from then on some links go to the one and some to the other.", t.full(), quoted(columns))
	if k.faulty != nil {
		f.Story += fmt.Sprintf(" There is %s, but it is %s.", k.faulty.name, map[Rule]string{
			PartialUniqueKey: "for some rows only", DeferrableUniqueKey: "deferrable, and can't be the target of ON CONFLICT", ExpressionUniqueKey: "on an expression"}[k.fault])
	}
	if j.facts.counted && j.facts.twice > 0 {
		f.Severity = Error
		f.Rows, f.Estimated = j.facts.spare, false
		f.Story += fmt.Sprintf(" %s stored more than once. Which row is the right one, only you can say: point the links of the others at it, delete the others, then make the key.",
			counted(j.facts.twice, "value is", "values are"))
	}
	f.mend = func() change {
		switch {
		case j.facts.twice > 0:
			return change{}
		case k.several != "":
			return cannot(k.several)
		case j.soft != nil && j.soft.unclear:
			return cannot(j.soft.unknown())
		}
		var c change
		for _, x := range k.invalid {
			c = c.then(a.engine.drop(a.maker, t, x))
		}
		return c.then(a.engine.unique(a.maker, t, columns, j.soft))
	}
	a.add([]found{f}, "")
	return nil
}
