package compat

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Between the look at an Append's links and its inserts dead ones are revived, which
// takes time. Stock GORM revives none.
var softDeleteRaces = []behaviour{
	{"revived: another link is made and deleted meanwhile", func(t *testing.T, e Engine) {
		var report m2msafe.Report
		db := meanwhile(t, e, func(db *gorm.DB) {
			exec(t, db, `INSERT INTO article_publications (article_id, publication_id) VALUES (1, 1)`)
			exec(t, db, `UPDATE article_publications SET deleted_at = ? WHERE publication_id = 1`, past)
		})
		require.NoError(t, link(m2msafe.With(db, m2msafe.ReportTo(&report)), 1, 1, 2))
		first, live := report.Links()[0].Outcome, []string{"2"}
		if first != m2msafe.Existing {
			live = []string{"1", "2"}
		}
		require.Equal(t, m2msafe.Revived, report.Links()[1].Outcome)
		require.Equal(t, live, rows(t, db, `SELECT publication_id FROM article_publications WHERE deleted_at IS NULL ORDER BY 1`), "the first is %v", first)
	}},
	{"revived: it has been made and deleted since the transaction's first look", func(t *testing.T, e Engine) {
		if !e.concurrent() {
			t.Skip("SQLite has one writer")
		}
		db := softly(t, e, &softLink{}, nil)
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
			require.Equal(t, "0", tally(t, tx, "article_publications"))
			require.NoError(t, link(db, 1, 1))
			unlink(t, db, &softLink{}, 1)
			return link(tx, 1, 1)
		}))
		require.Equal(t, []string{"1"}, rows(t, db, `SELECT publication_id FROM article_publications WHERE deleted_at IS NULL`))
	}},
	{"revived: another target is deleted meanwhile", func(t *testing.T, e Engine) {
		if e.postgres() {
			t.Skip("the look has locked it, or, on PostgreSQL's kin, its end is the foreign key's error")
		}
		db := meanwhile(t, e, func(db *gorm.DB) { exec(t, db, `DELETE FROM publications WHERE id = 1`) })
		require.ErrorIs(t, link(db.Omit("Publications.*"), 1, 1, 2), m2msafe.ErrTargetNotStored)
		require.Empty(t, rows(t, db, `SELECT publication_id FROM article_publications WHERE deleted_at IS NULL`))
	}},
}

type softLink struct {
	PairedLink
	DeletedAt gorm.DeletedAt
}

// meanwhile is a database in which link 1|2 is dead, with another writer who does
// something, once, when it is about to be revived.
func meanwhile(t *testing.T, e Engine, do func(db *gorm.DB)) *gorm.DB {
	if !e.concurrent() {
		t.Skip("SQLite has one writer")
	}
	db := softly(t, e, &softLink{}, nil)
	require.NoError(t, link(db, 1, 2))
	unlink(t, db, &softLink{}, 2)
	var done atomic.Bool
	look := func(tx *gorm.DB) {
		text := tx.Statement.SQL.String()
		if (strings.HasPrefix(text, "UPDATE") || strings.Contains(text, "m2m_dead")) && done.CompareAndSwap(false, true) {
			do(db)
		}
	}
	require.NoError(t, db.Callback().Raw().Before("gorm:raw").Register("compat:meanwhile", look))
	require.NoError(t, db.Callback().Row().Before("gorm:row").Register("compat:meanwhile", look))
	return db
}
