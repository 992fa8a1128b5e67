package audit

import (
	"fmt"
)

// noPrimaryKey is told of a fix that puts another key in the place of a primary one.
const noPrimaryKey = " After the fix the table has no primary key; what tells rows by it, as replication may, needs another."

// softKey: a unique key that deleted links take too.
func (a *audit) softKey(j *join) []found {
	x := j.keys.full
	if j.soft == nil || x == nil {
		return nil
	}
	f := j.finding(SoftDeleteFullKey, Warning, j.pair)
	if j.facts.counted && !j.soft.unclear {
		f.Rows, f.Estimated = j.facts.dead, false
	}
	f.Title = "A deleted link keeps its pair from being linked again"
	f.Story = fmt.Sprintf("Rows are deleted by %s, and %s covers them too. Who links a pair again meets the deleted row: a plain insert fails, "+
		"and ON CONFLICT DO NOTHING, as stock GORM sends it, reports success and leaves no living link. ", quoted(j.soft.columns()), x.name)
	if a.options.Revives {
		f.Severity = Note
		f.Story += "m2msafe brings the deleted row back, so its own writers lose nothing; others do."
	} else {
		f.Story += "m2msafe brings the deleted row back; with it only other writers lose links."
	}
	if x.primary {
		f.does += noPrimaryKey
	}
	if _, is := a.engine.(*mysql); !is {
		f.does += fmt.Sprintf(" After the fix an ON CONFLICT (%s) has to repeat the new key's WHERE, and fails without it: change those of the app first.", quoted(j.pair))
	}
	if note := a.engine.soften(); note != "" {
		f.Story += " " + note
	}
	f.mend = func() change {
		if j.soft.unclear {
			return cannot(j.soft.unknown())
		}
		if names := a.database.dependents(j.t, x); names != nil {
			return cannot("The key is what a foreign key of " + quoted(names) + " refers to, so it has to stay.")
		}
		c := a.refuseNull(j)
		if j.keys.living == nil {
			c = c.then(a.addUnique(j))
		}
		return c.then(a.engine.drop(a.maker, j.t, x))
	}
	return []found{f}
}
