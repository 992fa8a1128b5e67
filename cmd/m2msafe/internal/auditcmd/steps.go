package auditcmd

import (
	"regexp"
	"slices"

	"github.com/m2msafe/m2msafe/audit"
	"github.com/m2msafe/m2msafe/cmd/m2msafe/internal/dsn"
)

// step is a part of the mending that is done or not: a transaction, or what can't be in
// one. Its up and down are of the same kind.
type step struct {
	finding *audit.Finding
	part    int // of the finding's steps, from 1
	parts   int
	solo    bool
	// script says that the statements belong to one connection, which those that stand
	// alone set up for the others, as SQLite's PRAGMAs do.
	script bool
	up     []audit.Statement
	down   []audit.Statement
}

// stepsOf is the mending of all findings, in their order: a fix counts on those before
// it. The downs of the steps, from the last to the first, take it back. What two findings
// need is not done in one transaction: the locks of the first would be kept meanwhile.
func stepsOf(kind string, findings []audit.Finding) []step {
	var steps []step
	for i := range findings {
		f := &findings[i]
		of := findingSteps(f.Fix, f.Undo)
		if kind == dsn.SQLite && slices.ContainsFunc(slices.Concat(f.Fix, f.Undo), alone) {
			of = []step{{solo: true, script: true, up: f.Fix, down: f.Undo}}
		}
		for part := range of {
			of[part].finding, of[part].part, of[part].parts = f, part+1, len(of)
		}
		steps = append(steps, of...)
	}
	return steps
}

// findingSteps pairs the last part of fix with the first of undo, and so on. Parts of
// different kinds are no pair: each is a step whose other direction is empty.
func findingSteps(fix, undo []audit.Statement) []step {
	ups, downs := parts(fix), parts(undo)
	var steps []step // the last first
	for len(ups) > 0 || len(downs) > 0 {
		var s step
		switch {
		case len(ups) > 0 && len(downs) > 0 && ups[len(ups)-1][0].Solo == downs[0][0].Solo:
			s.up, s.down = ups[len(ups)-1], downs[0]
		case len(downs) > 0:
			s.down = downs[0]
		default:
			s.up = ups[len(ups)-1]
		}
		if s.up != nil {
			ups = ups[:len(ups)-1]
		}
		if s.down != nil {
			downs = downs[1:]
		}
		s.solo = slices.Concat(s.up, s.down)[0].Solo
		steps = append(steps, s)
	}
	slices.Reverse(steps)
	return steps
}

// validates are statements that look at all rows with a weak lock. In a transaction with
// others they would do it under the strong locks of those.
var validates = regexp.MustCompile(`^ALTER TABLE .* VALIDATE CONSTRAINT `)

func alone(s audit.Statement) bool { return s.Solo || validates.MatchString(s.SQL) }

// parts are the statements that stand alone, and those between and around them.
func parts(statements []audit.Statement) [][]audit.Statement {
	var all [][]audit.Statement
	for i, s := range statements {
		if i > 0 && !alone(s) && !alone(statements[i-1]) {
			all[len(all)-1] = append(all[len(all)-1], s)
			continue
		}
		all = append(all, []audit.Statement{s})
	}
	return all
}
