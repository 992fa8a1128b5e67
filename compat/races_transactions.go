package compat

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

var raceTransactions = []behaviour{
	{"a target that is being deleted is waited for", meet(meeting{
		delete: `DELETE FROM books WHERE id = 2`, want: []string{"1|1", "1|2", "1|3"},
	})},
	{"a target whose deletion is undone is linked as it was", meet(meeting{
		delete: `DELETE FROM books WHERE id = 2`, undone: true, omit: true, want: []string{"1|1", "1|2", "1|3"},
	})},
	{"a target that is deleted meanwhile is refused under Omit of Rel.*", meet(meeting{
		delete: `DELETE FROM books WHERE id = 2`, omit: true, err: m2msafe.ErrTargetNotStored, want: []string{"1|4"},
	})},
	{"an owner that is deleted meanwhile is refused", meet(meeting{
		delete: `DELETE FROM readers WHERE id = 1`, err: m2msafe.ErrOwnerNotStored, want: []string{},
	})},
	{"Append beside an open Delete ends in one order or the other", meet(meeting{
		before: `INSERT INTO reader_books (reader_id, book_id) VALUES (1, 2)`,
		delete: `DELETE FROM reader_books`, want: []string{"1|1", "1|3"}, also: []string{"1|1", "1|2", "1|3"},
	})},
	{"a link that is being made is waited for", meet(meeting{
		delete: `INSERT INTO reader_books (reader_id, book_id) VALUES (1, 2)`, want: []string{"1|1", "1|2", "1|3"},
	})},
	{"a link whose making is undone is made", meet(meeting{
		delete: `INSERT INTO reader_books (reader_id, book_id) VALUES (1, 2)`, undone: true, want: []string{"1|1", "1|2", "1|3"},
	})},
	{"under REPEATABLE READ a concurrent link is 40001", isolated(sql.LevelRepeatableRead, true)},
	{"under SERIALIZABLE a concurrent link is 40001", isolated(sql.LevelSerializable, true)},
	{"without a unique key REPEATABLE READ is refused or 40001, never a duplicate", isolated(sql.LevelRepeatableRead, false)},
	{"without a unique key SERIALIZABLE is 40001, never a duplicate", isolated(sql.LevelSerializable, false)},
}

// meeting is a transaction B that has done something and is still open when a
// transaction A of the caller's appends books 1, 2 and 3 to reader 1.
type meeting struct {
	before, delete string
	undone         bool // B rolls back
	omit           bool // A omits Books.*
	err            error
	want           []string // links in the end; A also adds 1|4 after an error
	also           []string // or these
}

// meet is for databases with more than one writer.
//
// Stock GORM passes where no error is wanted, and aborts A's transaction where
// one is.
func meet(m meeting) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		if !e.postgres() {
			t.Skip("what waits for what is PostgreSQL's; SQLite has one writer, and InnoDB locks in other places")
		}
		db := library(t, e.DB(t), 2, 5)
		if m.before != "" {
			exec(t, db, m.before)
		}
		b := db.Begin()
		exec(t, b, m.delete)
		done := make(chan error, 1)
		go func() {
			done <- db.Transaction(func(tx *gorm.DB) error {
				if m.omit {
					tx = tx.Omit("Books.*").Session(&gorm.Session{})
				}
				err := tx.Model(&Reader{ID: 1}).Association("Books").Append(booksOf(3, 0))
				if m.err == nil {
					return err
				}
				if !errors.Is(err, m.err) {
					return fmt.Errorf("%w is wanted, got %w", m.err, err)
				}
				if errors.Is(err, m2msafe.ErrOwnerNotStored) {
					return tx.Exec(`SELECT 1`).Error
				}
				return tx.Model(&Reader{ID: 1}).Association("Books").Append(&Book{ID: 4})
			})
		}()
		select {
		case err := <-done:
			done <- err // it did not have to wait
		case <-time.After(300 * time.Millisecond):
		}
		if m.undone {
			require.NoError(t, b.Rollback().Error)
		} else {
			require.NoError(t, b.Commit().Error)
		}
		require.NoError(t, <-done)
		links := rows(t, db, `SELECT reader_id, book_id FROM reader_books ORDER BY 1, 2`)
		if m.also == nil || !slices.Equal(m.also, links) {
			require.Equal(t, m.want, links)
		}
	}
}

// state is the SQLSTATE of an error, empty if it has none.
func state(err error) string {
	var with interface{ SQLState() string }
	if errors.As(err, &with) {
		return with.SQLState()
	}
	return ""
}

// isolated has transactions at an isolation level whose snapshots are all older
// than what the first of them commits. What comes of the others may only be
// nothing new, 40001 or, without a key, ErrNoUniqueKey; and a retry links all.
//
// Stock GORM passes this too where there is a key; without one it stores
// duplicates under REPEATABLE READ.
func isolated(level sql.IsolationLevel, keyed bool) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		if !e.postgres() {
			t.Skip(e.oneWriter())
		}
		db := e.DB(t)
		if keyed {
			seed(t, db)
		} else {
			rides(t, db)
			if !takesTurns(t, db) {
				return
			}
		}
		txs := make([]*gorm.DB, 3)
		for i := range txs {
			txs[i] = db.Begin(&sql.TxOptions{Isolation: level})
			require.Equal(t, "3", tally(t, txs[i], "articles")) // the snapshot is taken
		}
		for i, tx := range txs {
			err := link(tx, 1, 3, 1, 2)
			if err == nil {
				err = tx.Commit().Error
			} else {
				require.NoError(t, tx.Rollback().Error)
			}
			switch {
			case keyed && i == 0:
				require.NoError(t, err)
			case keyed:
				require.Equal(t, "40001", state(err), "%v", err)
			case err != nil && !errors.Is(err, m2msafe.ErrNoUniqueKey):
				require.Equal(t, "40001", state(err), "%v", err)
			}
			require.Empty(t, counted(t, db, "article_publications", articlePair, len(linked(t, db))))
		}
		require.NoError(t, link(db, 1, 3, 1, 2))
		require.Equal(t, []string{"1|1", "1|2", "1|3"}, linked(t, db))

		for _, problem := range rush(func(int) error {
			return db.Transaction(func(tx *gorm.DB) error { return link(tx, 2, 5, 4, 3, 2, 1) }, &sql.TxOptions{Isolation: level})
		}) {
			t.Log("accepted:", problem)
		}
		require.NoError(t, link(db, 2, 1, 2, 3, 4, 5))
		require.Empty(t, counted(t, db, "article_publications", articlePair, 8))
	}
}
