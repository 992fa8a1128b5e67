package compat

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// rides is the articles' database with a join table that has an id and nothing
// unique about the pair.
func rides(t testing.TB, db *gorm.DB) {
	t.Helper()
	require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", &Ride{}))
	seed(t, db, `CREATE TABLE article_publications (id {id}, {pair})`)
}

// Stock GORM: PostgreSQL 20 of 20, SQLite 20 of 20 (duplicates).
func raceNoUniqueKey(t testing.TB, db *gorm.DB) (problems []string) {
	unguarded(t, db)
	rides(t, db)
	for round := range 5 {
		problems = append(problems, rush(func(int) error { return link(db, uint(round%3+1), 5, 1, 4, 2, 3) })...)
	}
	return append(problems, counted(t, db, "article_publications", articlePair, 15)...)
}

// Stock GORM: PostgreSQL 20 of 20, SQLite 20 of 20 (duplicates, and on PostgreSQL
// 40P01).
func raceNoUniqueKeyBothSides(t testing.TB, db *gorm.DB) (problems []string) {
	unguarded(t, db)
	rides(t, db)
	problems = rush(func(writer int) error {
		for _, n := range rand.Perm(5) {
			var err error
			if writer%2 == 0 {
				err = link(db, uint(n%3+1), 5, 1, 4, 2, 3)
			} else {
				err = db.Model(&Publication{ID: uint(n + 1)}).Association("Articles").Append([]*Article{{ID: 3}, {ID: 1}, {ID: 2}})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return append(problems, counted(t, db, "article_publications", articlePair, 15)...)
}

// Stock GORM: PostgreSQL 20 of 20, SQLite 20 of 20: the dead rows stay dead, and
// no error says so.
func raceSoftDelete(t testing.TB, db *gorm.DB) (problems []string) {
	require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", &Mark{}))
	seed(t, db, `CREATE TABLE article_publications ({pair}, deleted_at timestamp, PRIMARY KEY (article_id, publication_id))`)
	for range 5 {
		// Writers come and go on all links, and the last to speak appends.
		problems = append(problems, rush(func(writer int) error {
			for range 3 {
				article := Article{ID: uint(rand.IntN(3) + 1)}
				if err := elsewhere(db, func() error {
					return db.Model(&article).Association("Publications").Delete(publications(uint(writer%5 + 1)))
				}); err != nil {
					return err
				}
				if err := link(db, article.ID, 5, 3, 1); err != nil {
					return err
				}
			}
			return nil
		})...)
		problems = append(problems, rush(func(int) error {
			for _, n := range rand.Perm(3) {
				if err := link(db, uint(n+1), 2, 5, 1, 3, 4); err != nil {
					return err
				}
			}
			return nil
		})...)
		problems = append(problems, counted(t, db, "article_publications", articlePair, 15)...)
		if live := one(t, db, `SELECT COUNT(*) FROM article_publications WHERE deleted_at IS NULL`); live != "15" {
			problems = append(problems, fmt.Sprintf("%s links live, 15 asked for", live))
		}
	}
	return problems
}

// Stock GORM: PostgreSQL 20 of 20 (40P01), SQLite 0.
func raceNewTargets(t testing.TB, db *gorm.DB) (problems []string) {
	library(t, db, raceWriters, 1)
	for round := range raceRounds {
		problems = append(problems, rush(func(writer int) error {
			return db.Model(&Reader{ID: uint(writer + 1)}).Association("Books").Append(booksOf(40, 1000*(round+1)))
		})...)
	}
	if books := tally(t, db, "books"); books != fmt.Sprint(1+40*raceRounds) {
		problems = append(problems, fmt.Sprintf("%s books stored, %d asked for", books, 1+40*raceRounds))
	}
	return append(problems, counted(t, db, "reader_books", readerPair, raceRounds*40*raceWriters)...)
}

// Stock GORM: PostgreSQL 20 of 20 (40P01), SQLite 0.
func raceReplace(t testing.TB, db *gorm.DB) (problems []string) {
	library(t, db, 1, 150)
	for range raceRounds {
		exec(t, db, `DELETE FROM reader_books WHERE book_id <= 50`)
		problems = append(problems, rush(func(int) error {
			return elsewhere(db, func() error { return db.Model(&Reader{ID: 1}).Association("Books").Replace(booksOf(100, 0)) })
		})...)
		problems = append(problems, counted(t, db, "reader_books", readerPair, 100)...)
		exec(t, db, `DELETE FROM reader_books`)
		exec(t, db, `INSERT INTO reader_books (reader_id, book_id) SELECT 1, id FROM books WHERE id > 30`)
	}
	return problems
}

// Stock GORM: PostgreSQL 20 of 20 (40P01), SQLite 0.
func raceCreate(t testing.TB, db *gorm.DB) (problems []string) {
	library(t, db, 1, 1)
	for round := range raceRounds {
		problems = append(problems, rush(func(writer int) error {
			return db.Create(&Reader{ID: uint(100*(round+1) + writer), Books: booksOf(40, 1000*(round+1))}).Error
		})...)
	}
	if books := tally(t, db, "books"); books != fmt.Sprint(1+40*raceRounds) {
		problems = append(problems, fmt.Sprintf("%s books stored, %d asked for", books, 1+40*raceRounds))
	}
	return append(problems, counted(t, db, "reader_books", readerPair, raceRounds*40*raceWriters)...)
}

// Stock GORM: PostgreSQL 20 of 20 (40P01), SQLite 0.
func raceInTransaction(t testing.TB, db *gorm.DB) (problems []string) {
	library(t, db, raceRounds, 200)
	for round := range raceRounds {
		problems = append(problems, rush(func(writer int) error {
			return elsewhere(db, func() error {
				return db.Transaction(func(tx *gorm.DB) error {
					return tx.Model(&Reader{ID: uint(round + 1)}).Association("Books").Append(booksOf(200, 0))
				})
			})
		})...)
	}
	return append(problems, counted(t, db, "reader_books", readerPair, raceRounds*200)...)
}
