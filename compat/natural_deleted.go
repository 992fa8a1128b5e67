package compat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/plugin/soft_delete"

	"github.com/m2msafe/m2msafe"
)

// naturalDeaths are targets that are deleted softly.
var naturalDeaths = []behaviour{
	{"a dead row that takes the name is refused by its key", deathRefused},
	{"a dead row that takes the name is revived where the option says so", deathRevived},
	{"Ignore leaves the dead row in peace where the key covers living rows only", deathIgnored},
	{"a living row comes before the dead ones of its name", deathBesideLife},
	{"several dead rows of one name", deathSeveral},
	{"a key that includes the soft-delete column tells the living", deathInKey},
	{"a key that includes a soft-delete column that is NULL tells nothing", deathNullInKey},
	{"an expression beside a column is no natural key of a model that is deleted softly", deathExpression},
	{"a revival leaves rows with the same id of another tenant dead", deathTenants},
	{"40,000 dead rows are revived in one call", deathMany},
}

// Plant is a target that is deleted softly, Herb the same by the soft_delete
// plugin.
type (
	Plant struct {
		ID        uint
		Name      string
		Lang      string
		Note      string
		DeletedAt gorm.DeletedAt
	}
	Herb struct {
		ID        uint
		Name      string
		Note      string
		DeletedAt soft_delete.DeletedAt
	}
	// Garden is the owner of plants.
	Garden struct {
		ID     uint
		Plants []*Plant `gorm:"many2many:garden_plants"`
		Herbs  []*Herb  `gorm:"many2many:garden_herbs"`
	}
)

const (
	fullKey   = `CREATE UNIQUE INDEX plants_name ON plants (name)`
	livingKey = `CREATE UNIQUE INDEX plants_name ON plants (name) WHERE deleted_at IS NULL`
)

// garden is db with plants p1 alive, p2 and p3 dead.
func garden(t testing.TB, db *gorm.DB, ddl ...string) *gorm.DB {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Plant{}, &Herb{}, &Garden{}))
	exec(t, db, `INSERT INTO gardens (id) VALUES (1), (2)`)
	exec(t, db, `INSERT INTO plants (name, lang, note, deleted_at) VALUES ('p1', 'en', 'n1', NULL), ('p2', 'en', 'n2', @t), ('p3', 'en', 'n3', @t)`, map[string]any{"t": past})
	for _, statement := range ddl {
		if strings.Contains(statement, " WHERE ") {
			predicates(t, db)
		}
		exec(t, db, statement)
	}
	return db
}

// BeforeCreate lets an intruder in.
func (*Plant) BeforeCreate(tx *gorm.DB) error { return intrude(tx) }

func plants(names ...string) []*Plant {
	elems := make([]*Plant, len(names))
	for i, name := range names {
		elems[i] = &Plant{Name: name, Note: "in memory"}
	}
	return elems
}

func addPlants(db *gorm.DB, elems ...*Plant) error {
	return db.Model(&Garden{ID: 1}).Association("Plants").Append(elems)
}

// plantRows is what the table of plants holds, the dead with a cross.
func plantRows(t testing.TB, db *gorm.DB) []string {
	t.Helper()
	return rows(t, db, `SELECT id, name, note, CASE WHEN deleted_at IS NULL THEN '' ELSE '+' END FROM plants ORDER BY id`)
}

// ownPlants checks that each element is its own living row, loaded.
func ownPlants(t testing.TB, db *gorm.DB, elems ...*Plant) {
	t.Helper()
	stored := plantRows(t, db)
	linked := rows(t, db, `SELECT plant_id FROM garden_plants`)
	for i, elem := range elems {
		require.Contains(t, stored, fmt.Sprintf("%d|%s|%s|", elem.ID, elem.Name, elem.Note), "element %d", i)
		require.False(t, elem.DeletedAt.Valid)
		require.Contains(t, linked, fmt.Sprint(elem.ID))
	}
}

// Stock GORM: no key, or a dead row linked.
func deathRefused(t *testing.T, e Engine) {
	for _, c := range []struct {
		ddl  string
		opts []m2msafe.Option
	}{
		{fullKey, nil}, {livingKey, nil},
		{fullKey, []m2msafe.Option{m2msafe.DeletedTargets(m2msafe.Refuse)}},
		{fullKey, []m2msafe.Option{m2msafe.DeletedTargets(m2msafe.Ignore)}},
	} {
		t.Run(fmt.Sprint(c.ddl, len(c.opts)), func(t *testing.T) {
			db := garden(t, e.DB(t, c.opts...), c.ddl)
			before := plantRows(t, db)
			check := func(db *gorm.DB) error {
				err := addPlants(db, plants("p1", "new", "p2")...)
				require.ErrorIs(t, err, m2msafe.ErrDeletedTarget)
				var link *m2msafe.LinkError
				require.ErrorAs(t, err, &link)
				require.Equal(t, [][]any{{uint(2)}}, link.Targets)
				require.Equal(t, before, plantRows(t, db))
				require.Equal(t, "0", tally(t, db, "garden_plants"))
				return nil
			}
			require.NoError(t, check(db))
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				require.NoError(t, check(tx))
				usable(t, tx)
				return addPlants(tx, plants("p1")...)
			}))
			require.Equal(t, "1", tally(t, db, "garden_plants"))
		})
	}
}

// Stock GORM leaves it dead.
func deathRevived(t *testing.T, e Engine) {
	for _, ddl := range []string{fullKey, livingKey} {
		for _, only := range []bool{false, true} {
			t.Run(fmt.Sprint(ddl, only), func(t *testing.T) {
				db := m2msafe.With(garden(t, e.DB(t), ddl), m2msafe.DeletedTargets(m2msafe.Revive))
				if only {
					db = m2msafe.With(db, m2msafe.KeysOnly())
				}
				elems := plants("p2", "new", "p1", "p2", "p3")
				require.NoError(t, addPlants(db, elems...))
				require.Equal(t, []string{"1|p1|n1|", "2|p2|n2|", "3|p3|n3|", "4|new|in memory|"}, plantRows(t, db))
				require.Equal(t, []uint{2, 4, 1, 2, 3}, []uint{elems[0].ID, elems[1].ID, elems[2].ID, elems[3].ID, elems[4].ID})
				if !only {
					ownPlants(t, db, elems...)
				}
				require.Equal(t, "4", tally(t, db, "garden_plants"))
			})
		}
	}
	db := garden(t, e.DB(t, m2msafe.DeletedTargets(m2msafe.Revive)), fullKey)
	before := plantRows(t, db)
	require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, addPlants(tx, plants("p2", "new")...))
		return errHook
	}), errHook)
	require.Equal(t, before, plantRows(t, db))
}

func deathIgnored(t *testing.T, e Engine) {
	db := garden(t, e.DB(t, m2msafe.DeletedTargets(m2msafe.Ignore)), livingKey)
	elems := plants("p2", "p1", "new", "p2")
	require.NoError(t, addPlants(db, elems...))
	ownPlants(t, db, elems...)
	require.Equal(t, []string{"2|p2|n2|+", "3|p3|n3|+"}, plantRows(t, db)[1:3])
	require.Equal(t, "5", tally(t, db, "plants"))
	require.Equal(t, "3", tally(t, db, "garden_plants"))
}

func deathBesideLife(t *testing.T, e Engine) {
	for name, policy := range map[string]m2msafe.Policy{"Refuse": m2msafe.Refuse, "Revive": m2msafe.Revive, "Ignore": m2msafe.Ignore} {
		t.Run(name, func(t *testing.T) {
			db := garden(t, e.DB(t, m2msafe.DeletedTargets(policy)), livingKey)
			exec(t, db, `INSERT INTO plants (name, lang, note, deleted_at) VALUES ('p2', '', 'living', NULL), ('p1', '', 'old', @t), ('p2', '', 'older', @t)`, map[string]any{"t": past})
			before := plantRows(t, db)
			elems := plants("p2", "p1", "p2")
			require.NoError(t, addPlants(db, elems...))
			require.Equal(t, []uint{4, 1, 4}, []uint{elems[0].ID, elems[1].ID, elems[2].ID})
			ownPlants(t, db, elems...)
			require.Equal(t, before, plantRows(t, db))
		})
	}
}

func deathSeveral(t *testing.T, e Engine) {
	for name, c := range map[string]struct {
		policy m2msafe.Policy
		err    error
	}{
		"Refuse": {m2msafe.Refuse, m2msafe.ErrDeletedTarget},
		"Ignore": {m2msafe.Ignore, nil},
		"Revive": {m2msafe.Revive, nil},
	} {
		t.Run(name, func(t *testing.T) {
			db := garden(t, e.DB(t, m2msafe.DeletedTargets(c.policy)), livingKey)
			exec(t, db, `INSERT INTO plants (name, lang, note, deleted_at) VALUES ('p2', '', 'n2', @t)`, map[string]any{"t": past})
			elems := plants("p1", "p2")
			require.ErrorIs(t, addPlants(db, elems...), c.err)
			if c.err == nil {
				ownPlants(t, db, elems...)
				require.Equal(t, "1", one(t, db, `SELECT COUNT(*) FROM plants WHERE name = 'p2' AND deleted_at IS NULL`))
			}
		})
	}
}

func deathInKey(t *testing.T, e Engine) {
	for name, policy := range map[string]m2msafe.Policy{"Refuse": m2msafe.Refuse, "Revive": m2msafe.Revive, "Ignore": m2msafe.Ignore} {
		t.Run(name, func(t *testing.T) {
			db := garden(t, e.DB(t, m2msafe.DeletedTargets(policy)), `CREATE UNIQUE INDEX herbs_name ON herbs (name, deleted_at)`)
			exec(t, db, `INSERT INTO herbs (name, note, deleted_at) VALUES ('h1', 'n1', 0), ('h2', 'n2', 77)`)
			elems := []*Herb{{Name: "h1"}, {Name: "new"}, {Name: "h2"}, {Name: "new"}}
			err := db.Model(&Garden{ID: 1}).Association("Herbs").Append(elems)
			if policy == m2msafe.Refuse {
				require.ErrorIs(t, err, m2msafe.ErrDeletedTarget)
				require.Equal(t, "2", tally(t, db, "herbs"))
				return
			}
			require.NoError(t, err)
			for _, elem := range elems {
				require.Equal(t, fmt.Sprint(elem.ID), one(t, db, `SELECT id FROM herbs WHERE name = ? AND deleted_at = 0`, elem.Name))
				require.Zero(t, elem.DeletedAt)
			}
			require.Equal(t, policy == m2msafe.Revive, elems[2].ID == 2)
			require.Equal(t, "3", tally(t, db, "garden_herbs"))
		})
	}
}

// Two living rows of one name may be there: which of them is meant?
func deathNullInKey(t *testing.T, e Engine) {
	db := garden(t, e.DB(t), `CREATE UNIQUE INDEX plants_name ON plants (name, deleted_at)`)
	exec(t, db, `INSERT INTO plants (name, lang, note) VALUES ('p1', '', 'twin')`)
	elems := plants("p1", "new", "p2")
	require.NoError(t, addPlants(db, elems...))
	ownPlants(t, db, elems...)
	require.Equal(t, "7", tally(t, db, "plants"))
}

func deathExpression(t *testing.T, e Engine) {
	db := garden(t, e.DB(t), `CREATE UNIQUE INDEX plants_name ON plants (lang, lower(name))`)
	elems := []*Plant{{Name: "x", Lang: "en"}, {Name: "y", Lang: "en"}}
	require.NoError(t, addPlants(db, elems...))
	ownPlants(t, db, elems...)
	require.Equal(t, "5", tally(t, db, "plants"))
}

// naturalStall's key has an id that says nothing without its tenant.
type (
	naturalStall struct {
		TenantID  uint   `gorm:"primaryKey;autoIncrement:false"`
		ID        uint   `gorm:"primaryKey;autoIncrement:false"`
		Name      string `gorm:"unique"`
		DeletedAt gorm.DeletedAt
	}
	naturalFair struct {
		ID     uint
		Stalls []*naturalStall `gorm:"many2many:fair_stalls;joinForeignKey:FairID;joinReferences:StallTenant,StallID"`
	}
)

func deathTenants(t *testing.T, e Engine) {
	db := e.DB(t, m2msafe.DeletedTargets(m2msafe.Revive))
	require.NoError(t, db.AutoMigrate(&naturalStall{}, &naturalFair{}))
	exec(t, db, `INSERT INTO natural_fairs (id) VALUES (1)`)
	exec(t, db, `INSERT INTO natural_stalls (tenant_id, id, name, deleted_at) VALUES (1, 7, 'mine', @t), (2, 7, 'theirs', @t)`, map[string]any{"t": past})
	elem := &naturalStall{Name: "mine"}
	require.NoError(t, db.Model(&naturalFair{ID: 1}).Association("Stalls").Append(elem))
	require.Equal(t, []uint{1, 7}, []uint{elem.TenantID, elem.ID})
	require.Equal(t, []string{"mine"}, rows(t, db, `SELECT name FROM natural_stalls WHERE deleted_at IS NULL`))
	require.Equal(t, []string{"1|1|7"}, rows(t, db, `SELECT fair_id, stall_tenant, stall_id FROM fair_stalls`))
}

func deathMany(t *testing.T, e Engine) {
	const n = 40_000
	db := garden(t, e.DB(t, m2msafe.DeletedTargets(m2msafe.Revive)), fullKey)
	exec(t, db, `INSERT INTO plants (name, lang, note, deleted_at)
		WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 'large' || i, '', '', ? FROM n`, n-1, past)
	elems := make([]*Plant, n)
	for i := range elems {
		elems[i] = &Plant{Name: fmt.Sprint("large", n-1-i)}
	}
	require.NoError(t, addPlants(db, elems...))
	require.Equal(t, fmt.Sprint(n+1), one(t, db, `SELECT COUNT(*) FROM plants WHERE deleted_at IS NULL`))
	require.Equal(t, fmt.Sprint(n), tally(t, db, "garden_plants"))
}
