package compat

import (
	"fmt"
	"slices"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/m2msafe/m2msafe"
)

// naturalProperties compare random calls with a model of them in memory. A
// failure prints the call, shrunk, and the seed that brings it back. More calls:
//
//	go test -run '/Naturals/random' -rapid.checks=10000 .
var naturalProperties = []behaviour{
	{"random calls do as the model does where names are unique for ever", modelled(false)},
	{"random calls do as the model does where names are unique among the living", modelled(true)},
}

// Specimen is a target with two natural keys that is deleted softly.
type Specimen struct {
	ID        uint
	Name      *string
	Code      *string
	Note      string
	DeletedAt gorm.DeletedAt
}

// Cabinet is the owner of specimens.
type Cabinet struct {
	ID        uint
	Title     string
	Specimens []*Specimen `gorm:"many2many:cabinet_specimens"`
	Samples   []Specimen  `gorm:"many2many:cabinet_specimens"`
}

// specimen is a row of the model's, and what an element shows of one. row is 0
// for an element that is not known by its key.
type specimen struct {
	row              int
	name, code, note string
	dead             bool
}

// BeforeCreate lets an intruder in.
func (*Specimen) BeforeCreate(tx *gorm.DB) error { return intrude(tx) }

// collection is what the model holds: rows by their numbers, which are not the
// database's keys, and the links of cabinet 1.
type collection struct {
	living bool // unique among the living only
	rows   []specimen
	links  map[int]bool
}

// scenario is a random call.
type scenario struct {
	elems  []specimen
	same   []int // elements that are the same pointer as an earlier one, or -1
	policy m2msafe.Policy
	only   bool // KeysOnly
	omit   bool // Omit("Specimens.*")
	form   string
	loses  bool   // of the new rows, the first turns out to be stored by then
	inside string // "", or how the caller's transaction ends
}

// find returns the numbers of the rows that an element may be by a key, the
// living one first.
func (c *collection) find(key func(specimen) string, value string, ignore bool) (found int) {
	found = -1
	for i, row := range c.rows {
		switch {
		case value == "" || key(row) != value || row.dead && ignore && c.living:
		case found < 0 || !row.dead:
			found = i
		}
	}
	return found
}

func nameOf(s specimen) string { return s.name }
func codeOf(s specimen) string { return s.code }

// apply does a call to the model. It returns the row of each element, or the
// errors that the call may end with.
func (c *collection) apply(s scenario) (of []int, errs []error) {
	after := collection{c.living, slices.Clone(c.rows), map[int]bool{}}
	var fresh []int
	for _, elem := range s.elems {
		row := elem.row - 1
		if row < 0 {
			byName, byCode := c.find(nameOf, elem.name, s.policy == m2msafe.Ignore), c.find(codeOf, elem.code, s.policy == m2msafe.Ignore)
			row = max(byName, byCode)
			if c.living && byName >= 0 && byCode >= 0 && c.rows[byName].dead != c.rows[byCode].dead {
				// The dead one takes nothing.
				if row = byName; c.rows[byName].dead {
					row = byCode
				}
				byName, byCode = row, row
			}
			switch {
			case byName >= 0 && byCode >= 0 && byName != byCode:
				errs = append(errs, m2msafe.ErrTargetConflict)
			case row >= 0 && c.rows[row].dead && s.policy != m2msafe.Revive:
				errs = append(errs, m2msafe.ErrDeletedTarget)
			case row >= 0:
				after.rows[row].dead = false
			case s.omit:
				errs = append(errs, m2msafe.ErrTargetNotStored, m2msafe.ErrZeroReference)
			default: // new, or equal to a new one
				for _, i := range fresh {
					switch named, coded := elem.name != "" && after.rows[i].name == elem.name, elem.code != "" && after.rows[i].code == elem.code; {
					case !named && !coded:
					case row >= 0:
						errs = append(errs, m2msafe.ErrTargetConflict)
					default:
						row = i
					}
				}
				if row < 0 {
					row = len(after.rows)
					after.rows, fresh = append(after.rows, elem), append(fresh, row)
				}
			}
		}
		of = append(of, row)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	for row, linked := range c.links {
		after.links[row] = linked && s.form != "Replace"
	}
	for _, row := range of {
		after.links[row] = true
	}
	*c = after
	return of, nil
}

var scenarioForms = []string{"Append", "Append values", "Append pointers one by one", "Replace", "Save", "Updates", "gorm.G"}

// draw makes up what is stored and a call. Elements that are new all show their
// row's name, or all its code alone. Those of dead rows that are as good as new may
// not: which of them are one row, and whether one is two, is up to their order.
func draw(t *rapid.T, living bool) (*collection, scenario) {
	c := &collection{living: living, links: map[int]bool{}}
	for i := range rapid.IntRange(0, 5).Draw(t, "rows") {
		row := specimen{name: fmt.Sprint("name", i), code: fmt.Sprint("code", i), note: fmt.Sprint("stored", i), dead: rapid.Float64Range(0, 1).Draw(t, "dead") > 0.8}
		switch rapid.IntRange(0, 3).Draw(t, "keys") {
		case 0:
			row.name = ""
		case 1:
			row.code = ""
		}
		c.rows = append(c.rows, row)
		c.links[len(c.rows)-1] = !row.dead && rapid.Bool().Draw(t, "linked")
		if !row.dead && living && rapid.IntRange(0, 3).Draw(t, "ghost") == 0 {
			ghost := row
			ghost.dead, ghost.note = true, "ghost"
			c.rows = append(c.rows, ghost)
		}
	}
	var s scenario
	s.policy = rapid.SampledFrom([]m2msafe.Policy{m2msafe.Revive, m2msafe.Refuse, m2msafe.Ignore}).Draw(t, "policy")
	for range rapid.IntRange(1, 8).Draw(t, "elements") {
		if len(s.elems) > 0 && rapid.IntRange(0, 9).Draw(t, "same pointer") == 0 {
			s.same = append(s.same, rapid.IntRange(0, len(s.elems)-1).Draw(t, "as"))
			s.elems = append(s.elems, s.elems[s.same[len(s.same)-1]])
			continue
		}
		elem := specimen{note: fmt.Sprint("memory", len(s.elems))}
		n := rapid.IntRange(0, 3).Draw(t, "new")
		if len(c.rows) > 0 && rapid.Bool().Draw(t, "stored") {
			row := rapid.IntRange(0, len(c.rows)-1).Draw(t, "row")
			by := rapid.SampledFrom([]string{"key", "name", "code", "both", "crossed", "name and new code"}).Draw(t, "by")
			if c.rows[row].dead && living && s.policy == m2msafe.Ignore && (by == "code" || by == "crossed") {
				by = "both" // it is as good as new
			}
			switch by {
			case "key":
				elem.row, elem.name = row+1, "only in memory"
			case "name":
				elem.name = c.rows[row].name
			case "code":
				elem.code = c.rows[row].code
			case "both":
				elem.name, elem.code = c.rows[row].name, c.rows[row].code
			case "crossed":
				elem.name, elem.code = c.rows[row].name, c.rows[rapid.IntRange(0, len(c.rows)-1).Draw(t, "other")].code
			case "name and new code":
				elem.name, elem.code = c.rows[row].name, fmt.Sprint("unused", len(s.elems))
			}
		}
		if elem.name+elem.code == "" {
			if n == 0 {
				elem.code = fmt.Sprint("new", n)
			} else if elem.name = fmt.Sprint("new", n); rapid.Bool().Draw(t, "with code") {
				elem.code = fmt.Sprint("code of new", n)
			}
		}
		s.same, s.elems = append(s.same, -1), append(s.elems, elem)
	}
	s.only, s.omit = rapid.Bool().Draw(t, "KeysOnly"), rapid.IntRange(0, 4).Draw(t, "omit") == 0
	s.form = rapid.SampledFrom(scenarioForms[:len(scenarioForms)-map[bool]int{false: 1}[generics]]).Draw(t, "form")
	s.omit = s.omit && s.form != "gorm.G" // which starts anew: it never hears of an Omit
	s.loses = rapid.Bool().Draw(t, "loses")
	s.inside = rapid.SampledFrom([]string{"", "commit", "rollback"}).Draw(t, "inside")
	return c, s
}
