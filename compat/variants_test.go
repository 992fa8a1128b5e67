package compat

import (
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// variants are how apps set GORM up, on PostgreSQL.
func variants() []Runnable {
	const (
		open    = "with SkipDefaultTransaction a create is no transaction: what it wrote before an error stays"
		batches = "CreateBatchSize has GORM create in batches"
		loose   = "without a foreign key nothing keeps the ends stored, and they are not locked"
		source  = "dbresolver's source has a pool of its own, of another role"
	)
	set := func(name string, config func(*gorm.Config), breaks map[string]string) Runnable {
		return Runnable{"postgres-" + name, false, vary(&Variant{Config: config, Breaks: breaks})}
	}
	roles := map[string]string{
		"a role that may not read the join table is told before anything fails":        source,
		"a lock that is waited for too long is a loss, and is waited for again":        source,
		"a COMMIT without an answer: the same Append again finds or makes its targets": source,
		"a COMMIT without an answer: targets without a natural key keep their numbers": source,
	}
	return []Runnable{
		set("PrepareStmt", func(c *gorm.Config) { c.PrepareStmt = true }, nil),
		set("SkipDefaultTransaction", func(c *gorm.Config) { c.SkipDefaultTransaction = true }, map[string]string{
			"under Omit of Rel.* stored names are linked and others refused":           open,
			"OnLinked's error is the call's and rolls links and targets back":          open,
			"Through reaches the relations that it fits, of those that a Create saves": open,
		}),
		set("TranslateError", func(c *gorm.Config) { c.TranslateError = true }, nil),
		set("CreateBatchSize", func(c *gorm.Config) { c.CreateBatchSize = 2 }, map[string]string{
			"any number of elements takes one lookup and one create": batches,
			"a statement is left as stock GORM leaves it":            batches,
		}),
		set("DisableForeignKeyConstraintWhenMigrating", func(c *gorm.Config) { c.DisableForeignKeyConstraintWhenMigrating = true }, map[string]string{
			"a target that is deleted meanwhile is refused under Omit of Rel.*":     loose,
			"an owner that is deleted meanwhile is refused":                         loose,
			"a lock that is waited for too long is a loss, and is waited for again": loose,
		}),
		set("NamingStrategy", func(c *gorm.Config) {
			if c.NamingStrategy == nil { // else it is what the test is about
				c.NamingStrategy = schema.NamingStrategy{TablePrefix: "app_"}
			}
		}, nil),
		{"postgres-plugins-before", false, vary(&Variant{Before: usePlugins, Breaks: roles})},
		{"postgres-plugins-after", false, vary(&Variant{After: usePlugins, Breaks: roles})},
		{"gorm-1.25.12", false, builtWith("v1.25.12")},
		{"gorm-1.30.5", false, builtWith("v1.30.5")},
	}
}

func vary(v *Variant) func(*testing.T) Engine {
	return func(t *testing.T) Engine {
		e := postgresBy(postgres.Open)(t)
		e.Vary = v
		return e
	}
}

// builtWith is for a test binary that has another version of GORM: the files
// testdata/gorm-*.mod see to that.
func builtWith(version string) func(*testing.T) Engine {
	return func(t *testing.T) Engine {
		t.Helper()
		file, _ := runtime.FuncForPC(reflect.ValueOf(gorm.Open).Pointer()).FileLine(0)
		require.Contains(t, file, "gorm.io/gorm@"+version+"/")
		e := postgresBy(postgres.Open)(t)
		e.Vary = &Variant{Breaks: map[string]string{
			"a map is a new target":                                                            noValues,
			"a map that a lost run has linked comes again as it was":                           noValues,
			"maps, values and pointers go together in one call":                                noValues,
			"equal elements are one row, and all of them get its key":                          noValues,
			"whatever is appended, nothing is written and nothing panics":                      noValues,
			"a new target that violates a unique index leaves the caller's transaction usable": noValues,
		}}
		return e
	}
}
