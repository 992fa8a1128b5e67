package audit

import (
	"fmt"

	"github.com/m2msafe/m2msafe/internal/catalog"
)

// reverse: an end whose columns no index begins with.
func (a *audit) reverse(j *join) []found {
	var all []found
	for i, e := range j.ends {
		if j.t.led(e.columns) || j.keys.living != nil && j.keys.living.leads(e.columns) {
			continue
		}
		if j.keyToCome() && catalog.SameColumns(a.leading(j)[:len(e.columns)], e.columns) {
			continue // the key that is missing will
		}
		f := j.finding(NoReverseIndex, Note, e.columns)
		f.Title = "No index begins with " + quoted(e.columns)
		f.Story = fmt.Sprintf("Finding the links of one row of %s reads the whole table, and so does the database each time that such a row is deleted or its key changes. "+
			"From %s the links are found by an index.", e.name(), j.ends[1-i].name())
		f.mend = func() change {
			add := a.addIndex(j.t, e.columns)
			if add.fix == nil {
				return cannot("A fix above makes one that does.")
			}
			var c change
			for _, x := range j.t.indexes { // it costs each write, and helps no one
				if x.invalid && !x.unique && x.where == "" && begin(x.columns, e.columns) {
					c = c.then(a.engine.drop(a.maker, j.t, x))
				}
			}
			return c.then(add)
		}
		all = append(all, f)
	}
	return all
}
