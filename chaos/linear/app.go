package linear

import (
	"fmt"
	"math/bits"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Pairs are what a call is about: an owner and some targets.
type Pairs struct {
	Owner   uint
	Targets Set
	// Reverse has a single pair linked or unlinked from the target's side.
	Reverse bool
}

// Told is what a call says of its targets, of none or of all.
type Told struct{ New, Old Set }

// App is a way to link. Replace is nil if it has none of its own.
type App struct {
	Append, Replace func(db *gorm.DB, p Pairs) (Told, error)
}

// The apps.
var (
	// Plugin is GORM with m2msafe, whose report is what is told.
	Plugin = App{reported(appends), reported(replaces)}
	// Stock is GORM alone, which tells nothing.
	Stock = App{silent(appends), silent(replaces)}
)

// association is the relation from the pairs' side, with the elements at its other
// end.
func (p Pairs) association(db *gorm.DB) (*gorm.Association, any) {
	if p.Reverse {
		for target := range p.Targets.each() {
			return db.Model(&Target{ID: target}).Association("Owners"), &[]Owner{{ID: p.Owner}}
		}
	}
	var targets []Target
	for target := range p.Targets.each() {
		targets = append(targets, Target{ID: target})
	}
	return db.Model(&Owner{ID: p.Owner}).Association("Targets"), &targets
}

func appends(db *gorm.DB, p Pairs) error {
	association, elements := p.association(db)
	return association.Append(elements)
}

func replaces(db *gorm.DB, p Pairs) error {
	association, elements := p.association(db)
	return association.Replace(elements)
}

func deletes(db *gorm.DB, p Pairs) error {
	association, elements := p.association(db)
	return association.Delete(elements)
}

func silent(call func(*gorm.DB, Pairs) error) func(*gorm.DB, Pairs) (Told, error) {
	return func(db *gorm.DB, p Pairs) (Told, error) { return Told{}, call(db, p) }
}

// reported has the report say what a call did. One that returns nil must have said
// it of each pair, once.
func reported(call func(*gorm.DB, Pairs) error) func(*gorm.DB, Pairs) (Told, error) {
	return func(db *gorm.DB, p Pairs) (told Told, err error) {
		var report m2msafe.Report
		err = call(m2msafe.With(db, m2msafe.ReportTo(&report)), p)
		links := report.Links()
		for _, link := range links {
			target := link.TargetKey[0].(uint)
			if p.Reverse {
				target = link.OwnerKey[0].(uint)
			}
			if link.Outcome == m2msafe.Existing {
				told.Old |= of(target)
			} else {
				told.New |= of(target)
			}
		}
		if err == nil && (told.New|told.Old != p.Targets || len(links) != bits.OnesCount8(uint8(p.Targets))) {
			err = fmt.Errorf("asked for %v, the report has %d links: %v new, %v existing", p.Targets, len(links), told.New, told.Old)
		}
		return told, err
	}
}
