package m2msafe

import (
	"errors"
	"slices"

	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// save runs the pipeline for one relation of a statement.
func (l *links) save() error {
	if l.saveInserts() {
		return nil
	}
	if err := l.read(); err != nil || len(l.elements) == 0 {
		return err
	}
	if err := l.planned(); err != nil {
		if l.db.DryRun {
			return nil // there may be no table yet, and nothing is to be written
		}
		return err
	}
	for _, e := range l.elements {
		l.visit(e.owner.Addr())
	}
	if err := l.guarded(); err != nil {
		return err
	}
	return l.atomically(l.several() || l.unsaved(), l.unsaved(), func() error {
		if err := l.open(); err != nil {
			return l.databaseError(err)
		}
		if err := l.saveTargets(); err != nil {
			return err
		}
		if err := l.pair(); err != nil {
			return err
		}
		missing, err := l.link()
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			// Nothing is linked yet, on purpose: rows of the join table are
			// taken in one order, and a wait for somebody's new target while
			// some of them are held already would break it.
			if err := l.createMissing(missing); err != nil {
				return err
			}
		}
		if err := l.saveNested(); err != nil {
			return err
		}
		return l.tell()
	})
}

// several says whether links take more than one statement, which is a transaction
// of its own. Anything more needs one, which GORM has begun unless
// SkipDefaultTransaction is set.
func (l *links) several() bool {
	_, linker := l.plan.dialect.(dialect.Linker)
	return !linker || l.plan.link.Guarded || l.hooked() || l.settings.onLinked != nil
}

// saveInserts says whether db.Save is about to insert the owner, associations
// and all, because its update has met no row: the links can wait for that.
func (l *links) saveInserts() bool {
	selects := l.db.Statement.Selects
	return !l.creating && !l.early && !l.db.DryRun && l.db.RowsAffected == 0 &&
		len(selects) == 1 && selects[0] == "*" && calledBy("Save", "")
}

// createMissing creates the targets of pairs and links again.
func (l *links) createMissing(missing []int) error {
	if !l.savesTargets() {
		return l.notStored(ErrTargetNotStored, missing, "the call omits "+l.rel.Name+".*, so it is not created")
	}
	return l.atomically(true, true, func() error {
		if err := l.createTargets(l.targetsOf(missing), l.upsert(), nil); err != nil {
			return err
		}
		missing, err := l.link()
		if err == nil && len(missing) > 0 {
			err = l.notCreated(missing)
		}
		return err
	})
}

// notCreated is the error of targets whose keys are not stored after their
// create either; it names the row that is in the way, if that can be found.
func (l *links) notCreated(missing []int) error {
	advice := "it could not be created: another row may have one of its unique values"
	rows, err := l.lookup(l.targetsOf(missing))
	if err != nil {
		return err
	}
	for _, f := range rows {
		if f.row.IsValid() {
			advice = "it could not be created: by " + f.by + " it is row " + keyText(l.primary(f.row))
		}
	}
	return l.notStored(ErrTargetNotStored, missing, advice)
}

// notStored is the error of pairs one of whose ends is not stored.
func (l *links) notStored(sentinel error, pairs []int, advice string) error {
	e := l.failure(sentinel, nil, advice)
	e.Owner = l.values(true, l.pairs[pairs[0]].element)
	if !errors.Is(sentinel, ErrOwnerNotStored) {
		seen := map[string]bool{}
		for _, i := range pairs {
			key := l.values(false, l.pairs[i].element)
			if text := keyText(key); !seen[text] {
				e.Targets, seen[text] = append(e.Targets, key), true
			}
		}
	}
	return e
}

// link writes all pairs and notes their outcomes. If some targets are not
// stored it writes nothing and returns their pairs.
func (l *links) link() (missing []int, err error) {
	call, err := l.call()
	if err != nil {
		return nil, err
	}
	if err := l.guard(call); err != nil {
		return nil, err
	}
	var found map[dialect.State][]int
	missed := func() bool { return len(found[dialect.NoOwner])+len(found[dialect.NoTarget]) > 0 }
	for range maxChanges {
		found, err = l.linkOnce(call)
		if err == nil && !missed() && len(found[dialect.Dead]) > 0 {
			found, err = l.linkDead(call, found[dialect.Dead])
		}
		// The snapshot of a transaction may be older than what is missing.
		stale := l.races() && call.Lock == dialect.NoLock && missed()
		if !stale && !errors.Is(err, errChanged) {
			break
		}
		call.Lock = max(call.Lock, dialect.Shared)
	}
	switch {
	case err != nil:
		return nil, err
	case len(found[dialect.NoOwner]) > 0:
		return nil, l.notStored(ErrOwnerNotStored, found[dialect.NoOwner], "save the owner first")
	default:
		return found[dialect.NoTarget], nil
	}
}

// linkDead revives pairs and then inserts those that are new. Like inserts, row
// locks are taken in one order, and all before the first insert: no writer that
// has inserted waits for a row lock. What dies after the first look stays dead
// for the same reason: that is the order "append, then delete". Where an insert meets
// it, as on the MySQL family, all is looked for again.
func (l *links) linkDead(call *dialect.Call, dead []int) (map[dialect.State][]int, error) {
	if l.settings.deletedLinks == Refuse {
		return nil, l.notStored(ErrDeletedLink, dead, "delete its row, or let it be revived by DeletedLinks(Revive)")
	}
	if l.races() {
		var err error
		if dead, err = l.stillDead(call, dead); err != nil {
			return nil, err
		}
	}
	if err := l.write(call, dead, l.plan.dialect.Revive, Revived); err != nil {
		return nil, err
	}
	rest := *call.Link
	rest.Dead = false
	return l.linkOnce(call.Of(&rest))
}

// linkOnce finds how all pairs stand, and inserts the new ones if there is
// nothing else to do first. It returns the pairs that are not linked by state.
func (l *links) linkOnce(call *dialect.Call) (map[dialect.State][]int, error) {
	linker, one := l.plan.dialect.(dialect.Linker)
	one = one && !l.hooked()
	find := l.plan.dialect.Find
	if one {
		find = linker.Link
	}
	states, err := l.states(call, find)
	if err != nil {
		return nil, err
	}
	found := map[dialect.State][]int{}
	for _, s := range states {
		if s.row < 0 { // of a quiet call: some were written
			l.made(s.row, Created)
			continue
		}
		found[s.state] = append(found[s.state], s.row)
	}
	for _, rows := range found {
		slices.Sort(rows)
	}
	fresh := found[dialect.New]
	delete(found, dialect.New)
	switch {
	case l.db.DryRun && !one: // show the statement that new rows take
		return nil, l.write(call, l.all(), l.plan.dialect.Write, Created)
	case one:
		l.outcome(fresh, Created)
		return found, nil
	case len(found) > 0 || len(fresh) == 0:
		return found, nil
	}
	if err := l.hold(call.Pick(fresh)); err != nil {
		return nil, err
	}
	switch {
	case l.hooked():
		return nil, l.writeHooked(call, fresh)
	default:
		return nil, l.write(call, fresh, l.plan.dialect.Write, Created)
	}
}

// write runs a statement that writes rows, and notes the outcome of those that
// it wrote: what a Linker says, else all.
func (l *links) write(call *dialect.Call, rows []int, statement func(clause.Builder, *dialect.Call) error, outcome Outcome) error {
	if len(rows) == 0 {
		return nil
	}
	if l.races() && outcome == Created {
		return l.insert(call, rows)
	}
	part := call.Pick(rows)
	if _, says := l.plan.dialect.(dialect.Returner); !says {
		l.outcome(rows, outcome)
		return l.chunks(part, func(part *dialect.Call, _ int) error {
			return run(l.db, nil, func(b clause.Builder) error { return statement(b, part) })
		})
	}
	states, err := l.states(part, statement)
	for _, s := range states {
		if s.row >= 0 {
			s.row = rows[s.row]
		}
		l.made(s.row, outcome)
	}
	return err
}

func (l *links) outcome(rows []int, outcome Outcome) {
	for _, i := range rows {
		l.made(i, outcome)
	}
}

// made notes that a pair was linked; of a quiet call, -1, that some were.
func (l *links) made(pair int, outcome Outcome) {
	l.changed = true
	if pair >= 0 {
		l.pairs[pair].outcome = outcome
	}
}

// all are the numbers of all pairs.
func (l *links) all() []int {
	rows := make([]int, len(l.pairs))
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// open sends the dialect's first statement of a transaction.
func (l *links) open() error { return l.openTable(pairColumns(l.rel)[0]) }

func (l *links) openTable(column string) error {
	opener, ok := dialectOf(l.db).(dialect.Opener)
	if !ok {
		return nil
	}
	return run(l.db, nil, func(b clause.Builder) error {
		opener.Open(b, l.rel.JoinTable.Table, column)
		return nil
	})
}
