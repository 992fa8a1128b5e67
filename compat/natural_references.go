package compat

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// naturalReferences are relations that refer to a target by its code.
var naturalReferences = []behaviour{
	{"a relation by code knows targets by their primary keys and names", referenceKnown},
	{"a relation by code with the codes set mixes up no primary keys", referenceCodes},
	{"a relation by code mixes up no primary keys where others create the same", referenceLost},
	{"a target without the code that the relation refers to is refused", referenceZero},
}

// naturalTerm is referred to by its code, and has a name besides.
type (
	naturalTerm struct {
		ID   uint
		Code string `gorm:"uniqueIndex;size:20"`
		Name string `gorm:"uniqueIndex;size:20"`
		Note string
	}
	naturalIndex struct {
		ID    uint
		Terms []*naturalTerm `gorm:"many2many:index_terms;joinForeignKey:IndexID;references:Code;joinReferences:TermCode"`
	}
)

// BeforeCreate lets an intruder in.
func (*naturalTerm) BeforeCreate(tx *gorm.DB) error { return intrude(tx) }

// glossary is db with terms a, b and c.
func glossary(t testing.TB, db *gorm.DB) *gorm.DB {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&naturalTerm{}, &naturalIndex{}))
	exec(t, db, `INSERT INTO natural_indices (id) VALUES (1)`)
	exec(t, db, `INSERT INTO natural_terms (code, name, note) VALUES ('a', 'name a', 'n'), ('b', 'name b', 'n'), ('c', 'name c', 'n')`)
	return db
}

func addTerms(db *gorm.DB, elems ...*naturalTerm) error {
	return db.Model(&naturalIndex{ID: 1}).Association("Terms").Append(elems)
}

// ownTerms checks that each element has the code of its own row and, unless it
// is zero, its ID; missing says how many may be zero.
func ownTerms(t testing.TB, db *gorm.DB, elems ...*naturalTerm) (missing int) {
	t.Helper()
	linked := rows(t, db, `SELECT term_code FROM index_terms`)
	for i, elem := range elems {
		require.Contains(t, linked, elem.Code, "element %d", i)
		var row naturalTerm
		require.NoError(t, db.Where("code = ?", elem.Code).Take(&row).Error)
		if elem.ID == 0 {
			missing++
		} else {
			require.Equal(t, row.ID, elem.ID, "element %d, code %s", i, elem.Code)
		}
	}
	return missing
}

// Stock GORM stores a link to an empty code.
func referenceKnown(t *testing.T, e Engine) {
	db := glossary(t, e.DB(t))
	elems := []*naturalTerm{{ID: 2}, {Name: "name a"}, {ID: 3, Name: "name c"}, {Code: "d", Name: "new"}, {Name: "name a"}}
	require.NoError(t, addTerms(db, elems...))
	require.Zero(t, ownTerms(t, db, elems...))
	require.Equal(t, []string{"a", "b", "c", "d"}, rows(t, db, `SELECT term_code FROM index_terms ORDER BY 1`))
	require.ErrorIs(t, addTerms(db, &naturalTerm{ID: 2, Name: "name a"}), m2msafe.ErrTargetConflict)
}

func referenceCodes(t *testing.T, e Engine) {
	db := glossary(t, e.DB(t))
	elems := []*naturalTerm{{Code: "z", Name: "z"}, {Code: "b", Name: "whatever"}, {Code: "y", Name: "y"}, {Code: "a"}, {Code: "z", Name: "z"}, {Code: "x", Name: "x"}}
	require.NoError(t, addTerms(db, elems...))
	t.Log("without their primary keys:", ownTerms(t, db, elems...))
	require.Equal(t, "6", tally(t, db, "natural_terms"))
	require.Equal(t, "5", tally(t, db, "index_terms"))
}

func referenceLost(t *testing.T, e Engine) {
	db := glossary(t, e.DB(t))
	elems := []*naturalTerm{{Code: "x", Name: "x"}, {Code: "y", Name: "y"}, {Code: "z", Name: "z"}}
	on := intruded(e, db, `INSERT INTO natural_terms (code, name, note) VALUES ('x', 'x', 'winner')`)
	require.NoError(t, addTerms(on, elems...))
	t.Log("without their primary keys:", ownTerms(t, db, elems...))
	require.Equal(t, "6", tally(t, db, "natural_terms"))
	require.Equal(t, "3", tally(t, db, "index_terms"))
}

// Stock GORM stores a link to an empty code.
func referenceZero(t *testing.T, e Engine) {
	db := glossary(t, e.DB(t))
	for _, elem := range []*naturalTerm{{Name: "unknown"}, {ID: 99}, {Note: "nothing"}} {
		err := addTerms(db, &naturalTerm{Code: "a"}, elem)
		var link *m2msafe.LinkError
		require.ErrorAs(t, err, &link)
		require.Equal(t, "3", tally(t, db, "natural_terms"))
		require.Equal(t, "0", tally(t, db, "index_terms"))
	}
}
