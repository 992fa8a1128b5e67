package m2msafe

import (
	"slices"
	"sync"

	"gorm.io/gorm"
)

// Outcome says what a call found, or did, for one pair.
type Outcome uint8

// The outcomes.
const (
	Existing Outcome = iota + 1 // the link was stored already
	Created                     // this call inserted it, and no other call did
	Revived                     // this call brought its soft-deleted row back
)

// String is "existing", "created" or "revived".
func (o Outcome) String() string {
	switch o {
	case Existing:
		return "existing"
	case Created:
		return "created"
	case Revived:
		return "revived"
	default:
		return "unknown"
	}
}

// Link is one pair that a call asked for. Equal targets of one call are one
// Link.
type Link struct {
	Relation  string // the model and its field, as in "Article.Publications"
	Owner     any    // pointer to the owner in memory
	Target    any    // pointer to the target in memory
	OwnerKey  []any  // values of the columns that the join row refers to
	TargetKey []any
	Outcome   Outcome
}

// Event is what [OnLinked] is told: the links that one call newly made for one
// relation. Links is never empty.
type Event struct {
	Relation string
	Links    []Link
}

// Report collects the outcome of each pair of the calls that [ReportTo] is
// given for. The zero Report is ready to use, and safe for concurrent use; do
// not copy it. What it says of a call counts once that call has returned nil,
// and in a transaction of the caller's once that is committed.
type Report struct {
	mu    sync.Mutex
	links []Link
	early bool // whatever becomes of the Transaction
}

// Links returns all pairs, in the order in which they were asked for.
func (r *Report) Links() []Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.links)
}

// Created returns the pairs that the calls inserted.
func (r *Report) Created() []Link { return r.with(Created) }

// Existing returns the pairs that were stored already.
func (r *Report) Existing() []Link { return r.with(Existing) }

// Revived returns the pairs whose soft-deleted row came back.
func (r *Report) Revived() []Link { return r.with(Revived) }

// Reset empties the report.
func (r *Report) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links = nil
}

func (r *Report) with(o Outcome) []Link {
	return slices.DeleteFunc(r.Links(), func(l Link) bool { return l.Outcome != o })
}

func (r *Report) add(links []Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links = append(r.links, links...)
}

// tell notes the outcomes in the call's report and has its event handler hear
// of the new links.
func (l *links) tell() error {
	if (l.settings.report == nil && l.settings.onLinked == nil) || l.db.DryRun {
		return nil
	}
	all := make([]Link, len(l.pairs))
	for i, p := range l.pairs {
		all[i] = Link{
			Relation: l.name(),
			Owner:    p.owner.Addr().Interface(),
			Target:   p.target.Interface(),
			OwnerKey: l.values(true, p.element), TargetKey: l.values(false, p.element),
			Outcome: p.outcome,
		}
	}
	if l.settings.onLinked != nil {
		fresh := slices.DeleteFunc(slices.Clone(all), func(k Link) bool { return k.Outcome == Existing })
		if len(fresh) > 0 {
			if err := l.announce(Event{Relation: l.name(), Links: fresh}); err != nil {
				return err
			}
		}
	}
	if l.settings.report == nil {
		return nil
	}
	// A transaction that may be run again is told of when it stands.
	if a, ok := l.db.Statement.Settings.Load(tryKey); ok {
		a.(*attempt).told.add(l.settings.report, all)
	} else {
		l.settings.note(all)
	}
	return nil
}

// announce has the event handler hear of new links. If it panics, the call's own
// transaction is rolled back: GORM leaves one open that it began for a statement.
func (l *links) announce(event Event) error {
	panicked := true
	defer func() {
		if _, own := l.db.Statement.Settings.Load(tryKey); panicked && own {
			if tx, inside := l.db.Statement.ConnPool.(gorm.TxCommitter); inside {
				_ = tx.Rollback()
			}
		}
	}()
	err := l.settings.onLinked(l.db.Session(&gorm.Session{NewDB: true}), event)
	panicked = false
	return err
}

// note has links in the report: of a [Transaction] once that stands.
func (s *settings) note(links []Link) {
	if s.within != nil && !s.report.early {
		s.within.told.add(s.report, links)
	} else {
		s.report.add(links)
	}
}

// told are links that are not stored for good.
type told struct {
	reports []*Report
	links   [][]Link
}

func (t *told) add(to *Report, links []Link) {
	t.reports, t.links = append(t.reports, to), append(t.links, links)
}

// join takes those of a part that stands.
func (t *told) join(part *told) {
	t.reports, t.links = append(t.reports, part.reports...), append(t.links, part.links...)
}

// stand says that they are.
func (t *told) stand() {
	for i, report := range t.reports {
		report.add(t.links[i])
	}
	t.forget()
}

// forget says that they never will be.
func (t *told) forget() { *t = told{} }
