package linear

import (
	"fmt"
	"math"

	"github.com/anishathalye/porcupine"
)

// note is what a client knows of a call, from when to when it was made. Of a Replace
// between is when it had appended and went on to delete.
type note struct {
	call
	client            int
	apart             bool // in a transaction of its own: both halves of a Replace are one
	whole             bool // one moment
	told              Told
	rows              int
	found             []uint
	from, between, to int64
}

// forever is when a call returns of which nobody knows whether it has written: it may
// do so at any time.
const forever = math.MaxInt64

// made puts down a call that has returned nil.
func (n *note) made(h *History) {
	switch {
	case n.Kind == Count:
		step := n.step(fmt.Sprintf(" = %d", n.rows))
		step.Rows = n.rows
		n.put(h, n.from, n.to, step)
	case n.Kind == Find:
		step := n.step(fmt.Sprintf(" = %v", n.found))
		step.Present, step.Absent, step.Rows = of(n.found...), ^of(n.found...), len(n.found)
		n.put(h, n.from, n.to, step)
	case n.whole:
		n.once(h, n.told, n.to)
	case n.appended():
		n.adds(h, n.told, n.between)
		n.removes(h, n.between+1, n.to)
	default:
		n.adds(h, n.told, n.to)
		n.removes(h, n.from, n.to)
	}
}

// unknown puts down a call that may still be under way.
func (n *note) unknown(h *History) {
	switch {
	case n.whole:
		n.once(h, Told{}, forever)
	case n.appended():
		n.adds(h, n.told, n.between)
		n.removes(h, n.between+1, forever)
	default:
		n.adds(h, Told{}, forever)
		n.removes(h, n.from, forever)
	}
}

// lost puts down what a call had written before it lost.
func (n *note) lost(h *History) {
	if n.appended() {
		n.adds(h, n.told, n.between)
	}
}

// appended says that one half of a Replace is done.
func (n *note) appended() bool { return n.Kind == Replace && !n.apart && n.between > 0 }

// adding and removing are the targets that a call asks for.
func (n *note) adding() Set {
	if n.Kind == Delete {
		return 0
	}
	return n.Targets
}

func (n *note) removing() Set {
	switch n.Kind {
	case Delete:
		return n.Targets
	case Replace:
		return all &^ n.Targets
	}
	return 0
}

// once puts down the call as one step.
func (n *note) once(h *History, told Told, to int64) {
	step := n.step(fmt.Sprintf(": new %v", told.New))
	step.Present, step.Absent, step.Add, step.Remove = told.Old, told.New, n.adding(), n.removing()
	n.put(h, n.from, to, step)
}

// adds puts down an Append: what was new came at once, what was there was so at some
// time, and what nothing is told of is there at some time.
func (n *note) adds(h *History, told Told, to int64) {
	if told.New > 0 {
		step := n.step(fmt.Sprintf(": new %v", told.New))
		step.Absent, step.Add = told.New, told.New
		n.put(h, n.from, to, step)
	}
	for target := range told.Old.each() {
		step := n.step(fmt.Sprintf(": %d was there", target))
		step.Present = of(target)
		n.put(h, n.from, to, step)
	}
	for target := range (n.adding() &^ (told.New | told.Old)).each() {
		step := n.step(fmt.Sprintf(": adds %d", target))
		step.Add = of(target)
		n.put(h, n.from, to, step)
	}
}

// removes puts down a DELETE, a link at a time.
func (n *note) removes(h *History, from, to int64) {
	for target := range n.removing().each() {
		step := n.step(fmt.Sprintf(": removes %d", target))
		step.Remove = of(target)
		n.put(h, from, to, step)
	}
}

func (n *note) step(part string) Step {
	return Step{Owner: n.Owner, Call: n.text() + part, Rows: anyRows}
}

func (n *note) text() string {
	switch {
	case n.Kind == Count || n.Kind == Find:
		return fmt.Sprintf("%s(%d)", n.Kind, n.Owner)
	case n.Reverse:
		return fmt.Sprintf("%s(%d, %v) from the target", n.Kind, n.Owner, n.Targets)
	default:
		return fmt.Sprintf("%s(%d, %v)", n.Kind, n.Owner, n.Targets)
	}
}

func (n *note) put(h *History, from, to int64, step Step) {
	h.Operations = append(h.Operations, porcupine.Operation{ClientId: n.client, Input: step, Call: from, Return: to})
}
