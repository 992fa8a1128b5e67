package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// To measure the races on stock GORM again:
//
//	M2MSAFE_STOCK=1 go test -run '/Naturals/eight' -v .
var naturalRaces = []behaviour{
	{"eight writers of the same fifty new names", raced(raceNames)},
	{"eight writers of the same fifty new names, one name a call", raced(raceOneByOne)},
	{"eight writers of the same fifty new names, in transactions of the caller's", raced(raceNamesInside)},
	{"eight writers of names that are equal to the database only", raced(raceFolded)},
	{"a lost race ends with the winner's rows", lostRace},
	{"a lost race against a row that is deleted softly", lostToDead},
	{"a lost race in the caller's transaction", lostInside},
	{"under REPEATABLE READ a lost race asks for a retry", lostIsolated(sql.LevelRepeatableRead)},
	{"under SERIALIZABLE a lost race asks for a retry", lostIsolated(sql.LevelSerializable)},
}

// intruderKey is where a context has a func(tx *gorm.DB) error for intrude.
type intruderKey struct{}

// intrude is what BeforeCreate hooks of targets call: what it stores, the
// targets' insert meets.
func intrude(tx *gorm.DB) error {
	if store, ok := tx.Statement.Context.Value(intruderKey{}).(func(*gorm.DB) error); ok {
		return store(tx)
	}
	return nil
}

// intruded is db with a concurrent writer who stores something between the
// lookup of a call's targets and their insert, and commits. Where one may write
// at a time, and so nobody can come in between, it stands in for that itself.
func intruded(e Engine, db *gorm.DB, sql string) *gorm.DB {
	var once sync.Once
	return db.WithContext(context.WithValue(context.Background(), intruderKey{}, func(tx *gorm.DB) (err error) {
		once.Do(func() {
			other := tx.Session(&gorm.Session{NewDB: true, Context: context.Background()})
			if e.concurrent() {
				other = db.WithContext(context.Background())
			}
			err = other.Exec(native(other, sql)).Error
		})
		return err
	}))
}

// names are fifty elements in random order, one of each name.
func names(round int) []*Topic {
	elems := make([]*Topic, 50)
	for i, n := range rand.Perm(50) {
		elems[i] = &Topic{Name: fmt.Sprintf("round %d name %d", round, n)}
	}
	return elems
}

// race50 has eight writers append the same fifty new names, each to an owner of
// its own, and says what is wrong with elements, rows and links.
func race50(t testing.TB, db *gorm.DB, rounds int, call func(essay uint, elems []*Topic) error) (problems []string) {
	desk(t, db, byName)
	exec(t, db, `INSERT INTO essays (title) VALUES ('e4'), ('e5'), ('e6'), ('e7'), ('e8')`)
	for round := range rounds {
		sent := make([][]*Topic, raceWriters)
		problems = append(problems, rush(func(writer int) error {
			sent[writer] = names(round)
			return call(uint(writer+1), sent[writer])
		})...)
		keys := map[string]string{}
		for _, row := range rows(t, db, `SELECT name || '|' || id, id FROM topics`) {
			keys[row] = row
		}
		for writer, elems := range sent {
			for _, elem := range elems {
				if key := fmt.Sprintf("%s|%d|%[2]d", elem.Name, elem.ID); keys[key] == "" {
					problems = append(problems, fmt.Sprintf("writer %d: %q has key %d", writer, elem.Name, elem.ID))
				}
			}
		}
	}
	if stored := tally(t, db, "topics"); stored != fmt.Sprint(4+50*rounds) {
		problems = append(problems, fmt.Sprintf("%s topics stored, %d asked for", stored, 4+50*rounds))
	}
	return append(problems, counted(t, db, "essay_topics", "essay_id, topic_id", 50*raceWriters*rounds)...)
}

// Stock GORM: PostgreSQL 20 of 20, SQLite 20 of 20; all writers but the first of
// each round break a foreign key.
func raceNames(t testing.TB, db *gorm.DB) []string {
	return race50(t, db, 8, func(essay uint, elems []*Topic) error { return addTopics(db, essay, elems...) })
}

// Stock GORM: PostgreSQL 20 of 20, SQLite 20 of 20: 350 of 400 calls fail in each
// run on either, one of eight writers finds each name free.
func raceOneByOne(t testing.TB, db *gorm.DB) []string {
	var failed atomic.Int32
	problems := race50(t, db, 1, func(essay uint, elems []*Topic) error {
		var errs []error
		for _, elem := range elems {
			if err := addTopics(db, essay, elem); err != nil {
				failed.Add(1)
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	})
	if onStock {
		t.Logf("%d of %d calls with an error", failed.Load(), 50*raceWriters)
	}
	return problems
}

// Stock GORM: PostgreSQL 20 of 20, SQLite 20 of 20.
func raceNamesInside(t testing.TB, db *gorm.DB) []string {
	return race50(t, db, 4, func(essay uint, elems []*Topic) error {
		return again(db, func() error {
			for _, elem := range elems { // of a try that lost at its COMMIT
				*elem = Topic{Name: elem.Name}
			}
			return db.Transaction(func(tx *gorm.DB) error { return addTopics(tx, essay, elems...) })
		})
	})
}

// Stock GORM: PostgreSQL 20 of 20, SQLite 20 of 20.
func raceFolded(t testing.TB, db *gorm.DB) (problems []string) {
	desk(t, db)
	switch db.Name() {
	case "mysql":
		exec(t, db, `ALTER TABLE topics MODIFY name varchar(100) COLLATE utf8mb4_general_ci`)
		exec(t, db, byName)
	case "sqlite":
		for _, statement := range nocase {
			exec(t, db, statement)
		}
	default:
		if err := db.Exec(`CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`).Error; err != nil {
			t.Skipf("this PostgreSQL has no ICU: %v", err)
		}
		exec(t, db, `ALTER TABLE topics ALTER name TYPE text COLLATE folded`)
		exec(t, db, byName)
	}
	for round := range 4 {
		problems = append(problems, rush(func(writer int) error {
			elems := names(round)[:20]
			for i, elem := range elems {
				elem.Name = fmt.Sprintf([]string{"Round %d name %d", "round %d Name %d", "ROUND %d NAME %d"}[(i+writer)%3], round, i)
			}
			if err := addTopics(db, uint(writer%3+1), elems...); err != nil {
				return err
			}
			for _, elem := range elems {
				if found := (Topic{}); db.Take(&found, elem.ID).Error != nil || found.Name != elem.Name {
					return fmt.Errorf("%q has key %d of %q", elem.Name, elem.ID, found.Name)
				}
			}
			return nil
		})...)
	}
	if stored := tally(t, db, "topics"); stored != fmt.Sprint(4+20*4) {
		problems = append(problems, stored+" topics stored, 84 asked for")
	}
	return problems
}

const winners = `INSERT INTO topics (name, lang, note, score, grade) VALUES ('c', 'x', 'winner', 1, 2), ('a', 'x', 'winner', 3, 4), ('unasked', '', '', 0, 0)`

// Stock GORM links a and c by 0, or by other rows' keys.
func lostRace(t *testing.T, e Engine) {
	for _, under := range []string{"default", "SkipDefaultTransaction", "PrepareStmt", "CreateBatchSize"} {
		for _, only := range []bool{false, true} {
			t.Run(fmt.Sprint(under, only), func(t *testing.T) {
				db, log := desk(t, e.With(t, mode(under)), byName), new(hooklog)
				on := intruded(e, db, winners)
				on = log.on(on)
				if only {
					on = m2msafe.With(on, m2msafe.KeysOnly())
				}
				elems := topics("d", "c", "s1", "b", "c", "a", "d")
				var report m2msafe.Report
				require.NoError(t, addTopics(m2msafe.With(on, m2msafe.ReportTo(&report)), 1, elems...))
				if only {
					ownKeys(t, db, elems...)
					require.Equal(t, "in memory", elems[1].Note)
				} else {
					ownRows(t, db, elems...)
				}
				require.Equal(t, []string{"a", "b", "c", "d", "s1"}, about(t, db, 1))
				require.Equal(t, []string{"a|winner", "b|in memory", "c|winner", "d|in memory"},
					rows(t, db, `SELECT name, note FROM topics WHERE name IN ('a', 'b', 'c', 'd') ORDER BY 1`))
				require.Len(t, report.Created(), 5)
				if !clustered(db) { // where the race may be lost at the COMMIT, and the hooks run again
					require.Equal(t, []string{"AfterCreate b", "AfterCreate d", "AfterSave b", "AfterSave d"}, log.heard()[:4], "losers were not created")
				}
				require.Contains(t, log.heard(), "BeforeCreate a")
			})
		}
	}
	// All of them lost.
	db, elems := desk(t, e.DB(t), byName), topics("c", "a")
	require.NoError(t, addTopics(intruded(e, db, winners), 1, elems...))
	ownRows(t, db, elems...)
	require.Equal(t, []string{"a", "c"}, about(t, db, 1))
}

func lostToDead(t *testing.T, e Engine) {
	db := garden(t, e.DB(t), fullKey)
	elems := plants("new", "p9")
	on := intruded(e, db, `INSERT INTO plants (name, lang, note, deleted_at) VALUES ('p9', '', 'n9', '2001-02-03 04:05:06')`)
	require.ErrorIs(t, addPlants(on, elems...), m2msafe.ErrDeletedTarget)
	require.Equal(t, "0", tally(t, db, "garden_plants"))
	require.Equal(t, "0", one(t, db, `SELECT COUNT(*) FROM plants WHERE name = 'new'`))
}

// Stock GORM aborts the transaction.
func lostInside(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName)
	if clustered(db) {
		t.Skip("a race that is lost to another node is the transaction's end")
	}
	on, elems := intruded(e, db, winners), topics("d", "c", "s1", "b", "a")
	require.ErrorIs(t, on.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, addTopics(tx, 1, elems...))
		usable(t, tx)
		if db.Name() != "mysql" { // whose snapshot does not show the winner's rows
			ownRows(t, tx, elems...)
			require.Len(t, about(t, tx, 1), 5)
		}
		return errHook
	}), errHook)
	require.Empty(t, about(t, db, 1))
	if e.concurrent() { // whose intruder has committed
		require.Equal(t, []string{"a", "c", "s1", "s2", "s3", "s4", "unasked"}, rows(t, db, `SELECT name FROM topics ORDER BY 1`))
	}
	again := topics("d", "c", "s1", "b", "a")
	require.NoError(t, addTopics(db, 1, again...))
	ownRows(t, db, again...)
}

// Stock GORM links 0, or says 40001.
func lostIsolated(level sql.IsolationLevel) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		if !e.postgres() {
			t.Skip(e.oneWriter())
		}
		db := desk(t, e.DB(t), byName)
		for name, snapshot := range map[string]string{"lookup": "", "earlier": `SELECT 1 FROM topics`} {
			t.Run(name, func(t *testing.T) {
				exec(t, db, `DELETE FROM essay_topics`)
				exec(t, db, `DELETE FROM topics WHERE id > 4`)
				elems := topics("d", "c", "s1", "b", "a")
				write := func(db *gorm.DB) error {
					return db.Transaction(func(tx *gorm.DB) error {
						if snapshot != "" {
							rows(t, tx, snapshot)
						}
						return addTopics(tx, 1, elems...)
					}, &sql.TxOptions{Isolation: level})
				}
				err := write(intruded(e, db, winners))
				require.ErrorIs(t, err, m2msafe.ErrRetry)
				require.Equal(t, "40001", state(err))
				require.Empty(t, about(t, db, 1))
				elems = topics("d", "c", "s1", "b", "a")
				require.NoError(t, write(db))
				ownRows(t, db, elems...)
				require.Len(t, about(t, db, 1), 5)
			})
		}
	}
}
