package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// call is one call of a writer: what the seed has decided, and what became of it.
type call struct {
	writer, index int
	kind          *kind
	again         bool // after a failure it is made again, with the same elements
	fault         *ownFault
	rng           *rand.Rand // while it is planned

	owners  []uint   // stored
	targets []target // labels
	more    []target // notes
	before  []target // labels that its owner has before
	units   []unit

	labels   []*Label
	notes    []*Note
	creates  []*Owner
	elements []element
	tries    []try
	reruns   int      // of a caller's transaction that has lost
	claims   []string // what it has said to have created, it and nobody else
	pairs    int      // that LinkPairs has said to be linked
}

// try is one time that a call was made.
type try struct {
	err  error
	last bool // it came to its COMMIT, or may have
}

// target is a label or a note of a call.
type target struct {
	id   uint // it is given by its key
	name string
	own  bool // no other call has it
}

// unit is what is stored together or not at all.
type unit []fact

// fact is a row: of a join table, or of an owner's or target's.
type fact struct {
	table         string
	owner, target ref
	own           bool // no other call writes it
}

// ref is a row by its key, or by its name or tag.
type ref struct {
	id   uint
	name string
}

func (r ref) String() string {
	if r.name != "" {
		return r.name
	}
	return fmt.Sprint(r.id)
}

func (f fact) String() string {
	if f.owner == (ref{}) {
		return fmt.Sprintf("%s %v", f.table, f.target)
	}
	return fmt.Sprintf("%s %v %v", f.table, f.owner, f.target)
}

// element is a model in memory.
type element struct {
	table, name string
	at          *uint // its key
	was         uint
}

// String is which call it is, with its own fault, and what its tries came to.
func (c *call) String() string {
	s := fmt.Sprintf("call %d of writer %d (%s", c.index, c.writer, c.kind.name)
	if c.fault != nil {
		s += "; " + c.fault.kind.name
	}
	for _, t := range c.tries {
		s += "; "
		if t.err == nil {
			s += "nil"
		} else {
			s += string(classOf(t.err))
		}
	}
	return s + ")"
}

// err is what the call has come to.
func (c *call) err() error { return c.tries[len(c.tries)-1].err }

// unknown says whether it may be done though it has failed: see there. As a
// transaction it may be done if it came to its COMMIT alone.
func (c *call) unknown(transaction bool) bool {
	return slices.ContainsFunc(c.tries, func(t try) bool { return unknown(t.err) && (t.last || !transaction) })
}

// begun says whether it was made at all.
func (c *call) begun() bool { return len(c.tries) > 0 }

// What a kind draws from when it plans a call. Names and pairs that several writers
// want are wanted at the same time, for all are at about the same call.

// ownOwner is a stored owner that no other call has.
func (c *call) ownOwner() uint {
	id := uint(100_000 + c.writer*100_000 + c.index*4 + len(c.owners))
	c.owners = append(c.owners, id)
	return id
}

// sharedOwner is a stored owner that others have too.
func (c *call) sharedOwner() uint {
	id := uint(1 + c.index/16*4 + c.rng.IntN(4))
	c.owners = append(c.owners, id)
	return id
}

// tag is one of a thing of the call's own.
func (c *call) tag(what string, n int) string {
	return fmt.Sprintf("%s-%d-%d-%d", what, c.writer, c.index, n)
}

// stored are some stored labels, by their keys.
func (c *call) stored(least, most int) (list []target) {
	for _, i := range c.rng.Perm(storedLabels)[:c.some(least, most)] {
		list = append(list, target{id: uint(i + 1), name: storedName(uint(i + 1))})
	}
	return list
}

// shared are names that others create too.
func (c *call) shared(least, most int) (list []target) {
	for _, i := range c.rng.Perm(6)[:c.some(least, most)] {
		list = append(list, target{name: fmt.Sprintf("shared-%d-%d", c.index/8, i)})
	}
	return list
}

// fresh are names, or notes' tags, of nobody else's.
func (c *call) fresh(what string, least, most int) (list []target) {
	for i := range c.some(least, most) {
		list = append(list, target{name: c.tag(what, i), own: true})
	}
	return list
}

func (c *call) some(least, most int) int { return least + c.rng.IntN(most-least+1) }

// links are facts of a relation: the join rows of an owner, and the rows of targets
// that may be new.
func links(table string, owner ref, own bool, targets []target) (u unit) {
	to := map[string]string{ownerLabels: labels, ownerNotes: notes, ownerMarks: labels}[table]
	for _, t := range targets {
		at := ref{name: t.name}
		if t.id != 0 {
			at = ref{id: t.id}
		} else {
			u = append(u, fact{table: to, target: at, own: t.own})
		}
		u = append(u, fact{table: table, owner: owner, target: at, own: own})
	}
	return u
}

// build makes the call's elements.
func (c *call) build() {
	c.elements, c.labels, c.notes, c.creates = nil, nil, nil, nil
	for _, t := range c.targets {
		l := &Label{ID: t.id, Name: t.name}
		c.labels = append(c.labels, l)
		c.elements = append(c.elements, element{labels, t.name, &l.ID, t.id})
	}
	for _, t := range c.more {
		n := &Note{ID: t.id, Tag: t.name}
		c.notes = append(c.notes, n)
		c.elements = append(c.elements, element{notes, t.name, &n.ID, t.id})
	}
	for i := range c.kind.creates {
		o := &Owner{Tag: c.tag("new", i)}
		c.creates = append(c.creates, o)
		c.elements = append(c.elements, element{owners, o.Tag, &o.ID, 0})
	}
}
