package audit

import (
	"fmt"
	"strings"
)

func (p postgres) drop(_ *maker, t *table, x *index) change {
	if x.replica || x.primary && t.published {
		return cannot("Logical replication tells the table's rows by this key, and without it refuses each UPDATE and DELETE: give the table another REPLICA IDENTITY first.")
	}
	if len(x.needed) > 0 {
		return cannot("What depends on " + x.name + " keeps it from being dropped: " + quoted(x.needed) + ".")
	}
	if x.constraint != "" {
		return change{
			fix:  []Statement{p.alter(t, "DROP CONSTRAINT "+p.quote(x.constraint), "takes "+x.name+" away")},
			undo: []Statement{p.again(t, x.constraint, x.definition)},
		}
	}
	if t.partitioned {
		if x.invalid {
			return cannot(x.name + " is invalid because not each partition has its part of it, and with it the parts would go that are there: " +
				"make what is missing, and ALTER INDEX " + p.in(t, x.name) + " ATTACH PARTITION with each.")
		}
		return change{
			fix:  []Statement{{SQL: "DROP INDEX " + p.in(t, x.name), Why: "takes " + x.name + " away"}},
			undo: []Statement{{SQL: strings.Replace(remade(x, "INDEX"), " ON ONLY ", " ON ", 1), Why: "makes " + x.name + " as it was"}},
		}
	}
	c := change{fix: []Statement{{SQL: "DROP INDEX CONCURRENTLY " + p.in(t, x.name), Why: "takes " + x.name + " away", Solo: true}}}
	if !x.invalid { // nobody has use for one that is
		c.undo = []Statement{
			p.block("IF EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass("+literal(p.in(t, x.name))+") AND NOT indisvalid) THEN DROP INDEX "+p.in(t, x.name)+"; END IF",
				"takes "+x.name+" away where DROP INDEX has ended half way"),
			{SQL: remade(x, "INDEX CONCURRENTLY"), Why: "makes " + x.name + " as it was", Solo: true},
		}
	}
	return c
}

// remade is an index's definition, for one that may be there still.
func remade(x *index, kind string) string {
	return strings.Replace(x.definition, "INDEX ", kind+" IF NOT EXISTS ", 1)
}

// again makes a constraint as it was, whether it is there or not: a fix may have ended at any
// of its statements.
func (p postgres) again(t *table, constraint, definition string) Statement {
	name := p.quote(constraint)
	return p.alter(t, "DROP CONSTRAINT IF EXISTS "+name+", ADD CONSTRAINT "+name+" "+definition, "makes "+constraint+" as it was")
}

// block is a statement of PL/pgSQL.
func (postgres) block(body, why string) Statement {
	tag := "$m2msafe$"
	for n := 2; strings.Contains(body, strings.TrimSuffix(tag, "$")); n++ {
		tag = fmt.Sprintf("$m2msafe%d$", n)
	}
	return Statement{SQL: "DO " + tag + "BEGIN " + body + "; END" + tag, Why: why}
}

// undefer makes a deferrable constraint one that is checked at once, in the place of the
// old one.
func (p postgres) undefer(m *maker, t *table, x *index) change {
	kind, nulls, included := "UNIQUE", "", ""
	if x.primary {
		kind = "PRIMARY KEY"
	}
	if x.nullsEqual {
		nulls = " NULLS NOT DISTINCT"
	}
	if len(x.included) > 0 {
		included = " INCLUDE (" + names(p, "", x.included) + ")"
	}
	name := p.quote(x.constraint)
	back := p.again(t, x.constraint, x.definition)
	if t.partitioned {
		return change{
			fix:  []Statement{p.alter(t, "DROP CONSTRAINT "+name+", ADD CONSTRAINT "+name+" "+kind+nulls+" ("+names(p, "", x.columns)+")"+included, "is checked at once")},
			undo: []Statement{back},
		}
	}
	made, index := p.create(m, t, "UNIQUE INDEX", "uq", x.columns, included+nulls, "the key that is checked at once"+building(t))
	return change{
		fix: append(made.fix, p.alter(t, "DROP CONSTRAINT "+name+", ADD CONSTRAINT "+name+" "+kind+" USING INDEX "+p.quote(index),
			"the constraint takes the index, and its name, for its own")),
		undo: append([]Statement{back}, made.undo...), // the index, where the constraint has not taken it
	}
}
