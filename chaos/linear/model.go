package linear

import (
	"fmt"
	"iter"
	"math/bits"
	"strings"

	"github.com/anishathalye/porcupine"
)

// Set is a set of targets, target 1 the lowest bit.
type Set uint8

// of makes a set of targets.
func of(targets ...uint) (s Set) {
	for _, target := range targets {
		s |= 1 << (target - 1)
	}
	return s
}

// each gives the targets, the lowest first.
func (s Set) each() iter.Seq[uint] {
	return func(yield func(uint) bool) {
		for target := uint(1); s>>(target-1) > 0; target++ {
			if s&of(target) > 0 && !yield(target) {
				return
			}
		}
	}
}

// String is "{1 3}".
func (s Set) String() string {
	var texts []string
	for target := range s.each() {
		texts = append(texts, fmt.Sprint(target))
	}
	return "{" + strings.Join(texts, " ") + "}"
}

// Step is a call, or the part of one, that takes place at one moment: what the
// owner's set must be like just before, and what becomes of it.
type Step struct {
	Owner           uint
	Call            string // for people
	Present, Absent Set    // what must and must not be in it
	Rows            int    // how many there must be, or anyRows
	Add, Remove     Set
}

// anyRows is the Rows of a step that counts none. One that has found a target twice
// can't be taken: the rows are more than the targets.
const anyRows = -1

// take says whether a set can take the step, and what it is then.
func (s Step) take(set Set) (bool, Set) {
	can := set&s.Present == s.Present && set&s.Absent == 0 &&
		(s.Rows == anyRows || s.Rows == bits.OnesCount8(uint8(set)))
	return can, (set | s.Add) &^ s.Remove
}

// Model is an owner's set of targets, empty at first. The inputs are of type [Step],
// and have the outputs in them.
var Model = porcupine.Model{
	Partition: func(history []porcupine.Operation) (owners [][]porcupine.Operation) {
		at := map[uint]int{}
		for _, op := range history {
			owner := op.Input.(Step).Owner
			if _, known := at[owner]; !known {
				at[owner] = len(owners)
				owners = append(owners, nil)
			}
			owners[at[owner]] = append(owners[at[owner]], op)
		}
		return owners
	},
	Init: func() any { return Set(0) },
	Step: func(set, step, _ any) (bool, any) {
		can, next := step.(Step).take(set.(Set))
		return can, next
	},
	DescribeOperation: func(step, _ any) string { return step.(Step).Call },
	DescribeState:     func(set any) string { return set.(Set).String() },
}
