package m2msafe

import (
	"slices"

	"gorm.io/gorm/clause"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// save runs the pipeline for one relation of a statement.
func (l *links) save() error {
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
	if l.plan.link.Guard {
		if err := l.guarded(); err != nil {
			return err
		}
	}
	// One statement is a transaction of its own. Anything more needs one, which
	// GORM has begun unless SkipDefaultTransaction is set.
	_, linker := l.plan.dialect.(dialect.Linker)
	several := !linker || l.plan.link.Guard || l.hooked() || l.settings.onLinked != nil || l.unsaved()
	return l.atomically(several, func() error {
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

// createMissing creates the targets of pairs and links again.
func (l *links) createMissing(missing []int) error {
	if !l.savesTargets() {
		return l.notStored(ErrTargetNotStored, missing, "the call omits "+l.rel.Name+".*, so it is not created")
	}
	return l.atomically(true, func() error {
		if err := l.createTargets(l.targetsOf(missing)); err != nil {
			return err
		}
		missing, err := l.link()
		if err == nil && len(missing) > 0 {
			err = l.notStored(ErrTargetNotStored, missing, "it could not be created: another row may have one of its unique values")
		}
		return err
	})
}

// notStored is the error of pairs one of whose ends is not stored.
func (l *links) notStored(sentinel error, pairs []int, advice string) error {
	e := l.failure(sentinel, nil, advice)
	e.Owner = l.values(true, l.pairs[pairs[0]].element)
	if sentinel != ErrOwnerNotStored {
		for _, i := range pairs {
			e.Targets = append(e.Targets, l.values(false, l.pairs[i].element))
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
	if err := l.lock(call); err != nil {
		return nil, err
	}
	linker, one := l.plan.dialect.(dialect.Linker)
	one = one && !l.hooked()
	find := l.plan.dialect.Find
	if one {
		find = linker.Link
	} else {
		whole := *call.Link
		whole.Probe = true // the rows to insert must be known beforehand
		call.Link = &whole
	}
	states, err := l.states(call, find)
	if err != nil {
		return nil, err
	}
	l.outcomes(states)
	byState := map[dialect.State][]int{}
	for _, s := range states {
		byState[s.state()] = append(byState[s.state()], s.Row-1)
	}
	if rows := byState[dialect.NoOwner]; len(rows) > 0 {
		if l.saveInserts() {
			l.pairs = nil
			return nil, nil
		}
		return nil, l.notStored(ErrOwnerNotStored, rows, "save the owner first")
	}
	if rows := byState[dialect.Dead]; len(rows) > 0 && l.settings.deletedLinks == Refuse {
		return nil, l.notStored(ErrDeletedLink, rows, "delete its row, or let it be revived by DeletedLinks(Revive)")
	}
	if rows := byState[dialect.NoTarget]; len(rows) > 0 || one {
		slices.Sort(rows)
		return rows, nil
	}
	if l.db.DryRun { // show the statement that new rows take
		for i := range l.pairs {
			byState[dialect.New] = append(byState[dialect.New], i)
		}
	}
	return nil, l.write(call, byState[dialect.New], byState[dialect.Dead])
}

// saveInserts says whether db.Save is about to insert the owner, associations
// and all, because its update has met no row: the links can wait for that.
func (l *links) saveInserts() bool {
	selects := l.db.Statement.Selects
	return !l.creating && l.db.RowsAffected == 0 && len(selects) == 1 && selects[0] == "*"
}

// outcomes notes what a statement says of the pairs; the rest is linked.
func (l *links) outcomes(states []rowState) {
	for i := range l.pairs {
		l.pairs[i].outcome = Existing
	}
	for _, s := range states {
		switch s.state() {
		case dialect.New:
			l.pairs[s.Row-1].outcome = Created
		case dialect.Dead:
			l.pairs[s.Row-1].outcome = Revived
		default:
			continue
		}
		l.changed = true
	}
}

// write inserts the rows that Find called new and revives the dead ones.
func (l *links) write(call *dialect.Call, fresh, dead []int) error {
	slices.Sort(fresh)
	slices.Sort(dead)
	if l.hooked() {
		if err := l.writeHooked(call, fresh); err != nil {
			return err
		}
		return l.writeRows(call, dead)
	}
	rows := append(fresh, dead...)
	slices.Sort(rows)
	return l.writeRows(call, rows)
}

// writeRows writes rows of a call as Find left them. Where the dialect says
// which of them it wrote, the others met a concurrent writer's.
func (l *links) writeRows(call *dialect.Call, rows []int) error {
	if len(rows) == 0 {
		return nil
	}
	if _, tells := l.plan.dialect.(dialect.Linker); !tells {
		return l.chunks(call.Pick(rows), func(part *dialect.Call, _ int) error {
			return run(l.db, nil, func(b clause.Builder) error { return l.plan.dialect.Write(b, part) })
		})
	}
	written, err := l.states(call.Pick(rows), l.plan.dialect.Write)
	if err != nil {
		return err
	}
	done := make(map[int]bool, len(written))
	for _, s := range written {
		done[rows[s.Row-1]] = true
	}
	for _, i := range rows {
		if !done[i] {
			l.pairs[i].outcome = Existing
		}
	}
	return nil
}

// lock takes the dialect's lock, and refuses an isolation level under which it
// is worth nothing.
func (l *links) lock(call *dialect.Call) error {
	var levels []struct{ Isolation string }
	var dest any
	if _, tells := l.plan.dialect.(dialect.Linker); tells {
		dest = &levels
	}
	if err := run(l.db, dest, func(b clause.Builder) error { return l.plan.dialect.Lock(b, call) }); err != nil {
		return l.databaseError(err)
	}
	if len(levels) > 0 && levels[0].Isolation == "repeatable read" {
		return l.fail(ErrNoUniqueKey, nil, "under REPEATABLE READ a lock can't stand in for it: the snapshot is older than the lock; "+l.remedy())
	}
	return nil
}
