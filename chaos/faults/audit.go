package faults

import (
	"fmt"
	"slices"
	"strings"
)

// The invariants, in the words of the report.
const (
	linkMissing  = "an acknowledged row is not there"
	pairTwice    = "a pair is stored twice"
	targetTwice  = "a target is stored twice"
	halfDone     = "a call is half done"
	doneInSpite  = "a call is done that the database has refused"
	keyWrong     = "an acknowledged element has not its row's key"
	keyForeign   = "an element of a failed call has the key of another's row"
	keyGhost     = "an element of a failed call has a key that is not stored"
	createdTwice = "two calls have created the same"
	stranger     = "a row is there that nobody asked for"
	unexplained  = "no fault explains an error"
	leftOpen     = "a transaction or a lock is left"
	leftInUse    = "a connection is not given back"
	leftThere    = "a session is left"
	leftRunning  = "a goroutine is left"
)

// Broken is an invariant that does not hold.
type Broken struct {
	Invariant string
	What      string
}

// audit compares what the database holds with what the calls have said.
type audit struct {
	*snapshot
	broken   []Broken
	rows     int // that were looked at
	done     int // failed calls that are done: their answer was lost
	undone   int // failed calls that are not
	asked    map[string]map[pair]bool
	askedFor map[string]map[string]bool
}

func (a *audit) breaks(invariant, format string, args ...any) {
	a.broken = append(a.broken, Broken{invariant, fmt.Sprintf(format, args...)})
}

// newAudit looks at all calls that were made.
func newAudit(s *snapshot, calls []*call) *audit {
	a := &audit{snapshot: s, asked: map[string]map[pair]bool{}, askedFor: map[string]map[string]bool{}}
	for _, j := range joins {
		a.asked[j.table] = map[pair]bool{}
	}
	for _, table := range []string{owners, labels, notes} {
		a.askedFor[table] = map[string]bool{}
	}
	for id := range uint(storedLabels) {
		a.askedFor[labels][storedName(id+1)] = true
	}
	claims := map[string]*call{}
	for _, c := range calls {
		a.explain(c)
		if !c.begun() {
			continue
		}
		a.stored(c)
		a.inMemory(c)
		for _, t := range c.tries {
			if t.err != nil && classOf(t.err) == other {
				a.breaks(unexplained, "%v: %v", c, t.err)
			}
		}
		if c.err() == nil {
			for _, claim := range c.claims {
				if by := claims[claim]; by != nil {
					a.breaks(createdTwice, "%s: %v and %v", claim, by, c)
				}
				claims[claim] = c
			}
		}
	}
	a.doubles()
	a.strangers()
	slices.SortStableFunc(a.broken, func(x, y Broken) int { return strings.Compare(x.Invariant, y.Invariant) })
	return a
}

// stored compares a call's rows.
func (a *audit) stored(c *call) {
	err := c.err()
	if c.kind.judge != nil {
		for _, wrong := range c.kind.judge(a.snapshot, c) {
			a.breaks(map[bool]string{true: linkMissing, false: halfDone}[err == nil], "%v: %s", c, wrong)
		}
		return
	}
	own, there := 0, 0
	for _, u := range c.units {
		n, all := a.count(u, true)
		own, there = own+all, there+n
		if err == nil {
			for _, row := range a.missing(u) {
				a.breaks(linkMissing, "%v: %s", c, row)
			}
		}
	}
	switch {
	case err == nil || own == 0:
	case there == 0:
		a.undone++
	case there < own:
		a.breaks(halfDone, "%v: %d of %d rows, after %v", c, there, own, err)
	default:
		a.done++
		if !c.unknown(false) { // it may have been one statement
			a.breaks(doneInSpite, "%v: %v", c, err)
		}
	}
}

// inMemory compares the keys of a call's elements.
func (a *audit) inMemory(c *call) {
	err := c.err()
	for _, e := range c.elements {
		key, stored := a.find(e.table, ref{name: e.name})
		owner, taken := a.names[e.table][*e.at]
		switch {
		case stored && *e.at == key:
		case err == nil:
			a.breaks(keyWrong, "%v: %s %s has %d, and is %d", c, e.table, e.name, *e.at, key)
		case *e.at == e.was, c.kind.callers:
		case taken:
			a.breaks(keyForeign, "%v: %s %s has %d, which is %s, after %v", c, e.table, e.name, *e.at, owner, err)
		case !c.unknown(true):
			a.breaks(keyGhost, "%v: %s %s has %d, after %v", c, e.table, e.name, *e.at, err)
		}
	}
}

// explain notes what a call may have stored.
func (a *audit) explain(c *call) {
	for _, id := range c.owners {
		a.askedFor[owners][ownerTag(id)] = true
	}
	for _, t := range c.before {
		a.asked[ownerLabels][pair{c.owners[0], t.id}] = true
	}
	for _, u := range c.units {
		for _, f := range u {
			if f.owner == (ref{}) {
				a.askedFor[f.table][f.target.name] = true
			} else if p, ok := a.pairOf(f); ok {
				a.asked[f.table][p] = true
			}
		}
	}
}

// doubles looks for what must be stored once.
func (a *audit) doubles() {
	for table, pairs := range a.pairs {
		for p, n := range pairs {
			if a.rows += n; n > 1 {
				a.breaks(pairTwice, "%s: owner %d (%s) and target %d (%s), %d times", table,
					p.owner, a.names[owners][p.owner], p.target, a.names[targetsOf(table)][p.target], n)
			}
		}
	}
	for table, names := range a.keys {
		for name, ids := range names {
			if a.rows += len(ids); len(ids) > 1 {
				a.breaks(targetTwice, "%s %s has the keys %v", table, name, ids)
			}
		}
	}
}

// strangers looks for what no call has asked for.
func (a *audit) strangers() {
	for table, pairs := range a.pairs {
		for p := range pairs {
			if !a.asked[table][p] {
				a.breaks(stranger, "%s: owner %d (%s) and target %d (%s)", table,
					p.owner, a.names[owners][p.owner], p.target, a.names[targetsOf(table)][p.target])
			}
		}
	}
	for table, names := range a.keys {
		for name := range names {
			if !a.askedFor[table][name] {
				a.breaks(stranger, "%s %q", table, name)
			}
		}
	}
}
