package compat

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Each race says how many of 20 runs fail on stock GORM, measured on PostgreSQL
// 15.18 and SQLite (mattn) with 2 cores. Where the failures are deadlocks alone
// SQLite, with its one writer, can't have them. To measure it again:
//
//	M2MSAFE_STOCK=1 go test -run '.*/Races' -v -timeout 2h .
//
// Stock GORM waits out a deadlock in many rounds. The races of raceRounds were
// measured with the server's deadlock_timeout at 20ms, which takes minutes; at
// the default second they take an hour.
var races = slices.Concat([]behaviour{
	{"the origin's scenario", raced(raceOrigin)},
	{"the origin's scenario as a check and then an insert", onlyStock(raceByHand)},
	{"the same targets in shuffled order to one owner", raced(raceShuffled)},
	{"both sides of many owners and many targets", raced(raceBothSides)},
	{"a join table without a unique key", raced(raceNoUniqueKey)},
	{"a join table without a unique key, from both sides", raced(raceNoUniqueKeyBothSides)},
	{"Append after Delete on a join model that is deleted softly", raced(raceSoftDelete)},
	{"targets with the same new primary keys", raced(raceNewTargets)},
	{"Replace by the same targets", raced(raceReplace)},
	{"new owners with the same new targets", raced(raceCreate)},
	{"one Append in a transaction of the caller's", raced(raceInTransaction)},
}, raceTransactions)

// onStock says that the races are run on stock GORM, to be counted.
var onStock = os.Getenv("M2MSAFE_STOCK") != ""

// raceWriters is how many write at once; raceRounds how often where stock GORM
// fails in a tenth of the rounds only.
const (
	raceWriters = 8
	raceRounds  = 30
)

// raced runs a race with the plugin, under several modes, and wants no problem.
// With M2MSAFE_STOCK set it counts how many of 20 runs have one on stock GORM.
func raced(race func(t testing.TB, db *gorm.DB) []string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		if onStock {
			failed, example := 0, ""
			for range 20 {
				t.Run("stock", func(t *testing.T) {
					if problems := race(t, e.Stock(t)); len(problems) > 0 {
						failed++
						example = problems[0]
					}
				})
			}
			t.Logf("stock GORM on %s: %d of 20 runs fail; %s", e.Name, failed, example)
			return
		}
		for _, under := range []string{"default", "SkipDefaultTransaction", "PrepareStmt"} {
			t.Run(under, func(t *testing.T) {
				if under == "SkipDefaultTransaction" && !e.postgres() && e.concurrent() {
					t.Skip("where InnoDB's gap locks end in a deadlock a create that is no transaction can't be run again: that is ErrRetry")
				}
				require.Empty(t, race(t, e.With(t, mode(under), e.Races...)))
			})
		}
	}
}

// again runs a transaction of the caller's, which is the caller's to run again if it
// lost. InnoDB locks gaps, so that there is no order in which it never does; on the
// other engines there is.
func again(db *gorm.DB, transaction func() error) error {
	if db.Name() != "mysql" {
		return transaction()
	}
	return untilKept(transaction)
}

// untilKept runs a transaction of the caller's until it does not lose.
func untilKept(transaction func() error) error {
	err := transaction()
	var atCommit *mysqldriver.MySQLError // of Galera, and of TiDB's optimistic transactions
	lost := func() bool {
		return errors.Is(err, m2msafe.ErrRetry) || errors.As(err, &atCommit) && (atCommit.Number == 1213 || atCommit.Number == 9007)
	}
	for tries := 0; lost() && tries < 50; tries++ {
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		err = transaction()
	}
	return err
}

// clustered says whether the database is a node of Galera, whose row locks are its
// own.
func clustered(db *gorm.DB) bool {
	var name, on string
	return db.Name() == "mysql" && db.Raw(`SHOW GLOBAL VARIABLES LIKE 'wsrep_on'`).Row().Scan(&name, &on) == nil && on == "ON"
}

// elsewhere is for calls in which GORM sends statements of its own, or the caller has
// the transaction: on Galera these lose at a COMMIT that nobody runs again.
func elsewhere(db *gorm.DB, call func() error) error {
	if clustered(db) {
		return untilKept(call)
	}
	return call()
}

// onlyStock is for what the plugin has no part in.
func onlyStock(race func(t testing.TB, db *gorm.DB) []string) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		if !onStock {
			t.Skip("the plugin has no part in it; M2MSAFE_STOCK=1 counts how it fails")
		}
		raced(race)(t, e)
	}
}

// rush runs writers at once and returns their errors.
func rush(write func(writer int) error) (problems []string) {
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		start = make(chan struct{})
	)
	for writer := range raceWriters {
		group.Go(func() {
			<-start
			if err := write(writer); err != nil {
				mu.Lock()
				defer mu.Unlock()
				problems = append(problems, fmt.Sprintf("writer %d: %v", writer, err))
			}
		})
	}
	close(start)
	group.Wait()
	return problems
}

// counted compares what a join table holds with the number of pairs that were
// asked for.
func counted(t testing.TB, db *gorm.DB, table, pair string, want int) (problems []string) {
	t.Helper()
	if twice := rows(t, db, fmt.Sprintf(`SELECT %s, COUNT(*) FROM %s GROUP BY %[1]s HAVING COUNT(*) > 1`, pair, table)); len(twice) > 0 {
		problems = append(problems, fmt.Sprintf("%d pairs stored twice or more", len(twice)))
	}
	if stored := rows(t, db, fmt.Sprintf(`SELECT DISTINCT %s FROM %s`, pair, table)); len(stored) != want {
		problems = append(problems, fmt.Sprintf("%d pairs stored, %d asked for", len(stored), want))
	}
	return problems
}

const (
	articlePair = "article_id, publication_id"
	readerPair  = "reader_id, book_id"
)

// readersOf and booksOf are targets with the keys from 1 to n plus an offset, in
// random order.
func readersOf(n int) []*Reader {
	elems := make([]*Reader, n)
	for i, id := range rand.Perm(n) {
		elems[i] = &Reader{ID: uint(id + 1)}
	}
	return elems
}

func booksOf(n, offset int) []*Book {
	elems := make([]*Book, n)
	for i, id := range rand.Perm(n) {
		elems[i] = &Book{ID: uint(id + 1 + offset), Title: "from memory"}
	}
	return elems
}

// origin is the question's scenario, smaller, with a way to link.
func origin(t testing.TB, db *gorm.DB, link func(publication, article uint) error) []string {
	require.NoError(t, db.AutoMigrate(&Article{}, &Publication{}))
	fill(t, db, "articles (id)", "", 100)
	fill(t, db, "publications (id)", "", 100)
	var asked sync.Map
	problems := rush(func(int) error {
		for range 30 {
			for range 4 {
				publication := uint(rand.IntN(2) + 1)
				for range 4 {
					article := uint(rand.IntN(15) + 1)
					asked.Store([2]uint{publication, article}, true)
					if err := link(publication, article); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	want := 0
	asked.Range(func(any, any) bool { want++; return true })
	return append(problems, counted(t, db, "article_publications", articlePair, want)...)
}

// Stock GORM passes this too (PostgreSQL 0 of 20, SQLite 0 of 20): its join
// insert is an ON CONFLICT DO NOTHING already.
func raceOrigin(t testing.TB, db *gorm.DB) []string {
	return origin(t, db, func(publication, article uint) error {
		return db.Model(&Publication{ID: publication}).Association("Articles").Append(&Article{ID: article})
	})
}

// What Django does and people write by hand, with no plugin in it, fails:
// PostgreSQL 19 of 20, SQLite 10 of 20 (duplicate key).
func raceByHand(t testing.TB, db *gorm.DB) []string {
	return origin(t, db, func(publication, article uint) error {
		pair := map[string]any{"article_id": article, "publication_id": publication}
		var n int64
		if err := db.Table(tableOf(db, "article_publications")).Where(pair).Count(&n).Error; err != nil || n > 0 {
			return err
		}
		return db.Table(tableOf(db, "article_publications")).Create(pair).Error
	})
}

// Stock GORM: PostgreSQL 20 of 20 (40P01), SQLite 0.
func raceShuffled(t testing.TB, db *gorm.DB) (problems []string) {
	library(t, db, raceRounds, 200)
	for round := range raceRounds {
		problems = append(problems, rush(func(int) error {
			return db.Model(&Reader{ID: uint(round + 1)}).Association("Books").Append(booksOf(200, 0))
		})...)
	}
	return append(problems, counted(t, db, "reader_books", readerPair, raceRounds*200)...)
}

// Stock GORM: PostgreSQL 20 of 20 (40P01), SQLite 0.
func raceBothSides(t testing.TB, db *gorm.DB) (problems []string) {
	library(t, db, 20, 20)
	for range 5 {
		exec(t, db, `DELETE FROM reader_books`)
		problems = append(problems, rush(func(writer int) error {
			for _, n := range rand.Perm(5) {
				// Four owners a call, so that one call has many of both.
				readers, books := readersOf(20)[:4], booksOf(20, 0)[:4]
				values := make([]any, 4)
				var err error
				if writer%2 == 0 {
					for i := range values {
						values[i] = booksOf(20, 0)
					}
					err = db.Model(&readers).Association("Books").Append(pointers[Book](values)...)
				} else {
					for i := range values {
						values[i] = readersOf(20)
					}
					err = db.Model(&books).Association("Readers").Append(pointers[Reader](values)...)
				}
				if err == nil {
					err = db.Model(&Reader{ID: uint(n*4 + 1 + writer%4)}).Association("Books").Append(booksOf(20, 0))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})...)
		problems = append(problems, counted(t, db, "reader_books", readerPair, 400)...)
	}
	return problems
}

// pointers makes of slices the pointers to slices that Append takes for several
// owners.
func pointers[T any](slices []any) []any {
	for i, s := range slices {
		elems := s.([]*T)
		slices[i] = &elems
	}
	return slices
}
