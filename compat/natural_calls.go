package compat

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

var naturalCalls = []behaviour{
	{"every call form knows names under every mode", naturalForms},
	{"every call form knows names in the caller's transaction, and goes with it", naturalFormsInside},
	{"batch owners each get their own", naturalBatchOwners},
	{"the caller's transaction works after each refusal", naturalRefusals},
	{"any number of elements takes one lookup and one create", naturalStatements},
	{"40,000 names in one call", naturalMany},
	{"a dry run looks nothing up and writes nothing", naturalDryRun},
}

// naturalWays link essay 1, or a new one with ID 4, to elements.
var naturalWays = []struct {
	name string
	run  func(db *gorm.DB, elems []*Topic) error
}{
	{"Append", func(db *gorm.DB, elems []*Topic) error { return addTopics(db, 1, elems...) }},
	{"Append one by one", func(db *gorm.DB, elems []*Topic) error {
		for _, elem := range elems {
			if err := addTopics(db, 1, elem); err != nil {
				return err
			}
		}
		return nil
	}},
	{"Append to a loaded owner", func(db *gorm.DB, elems []*Topic) error {
		var essay Essay
		if err := db.Preload("Topics").First(&essay, 1).Error; err != nil {
			return err
		}
		return db.Model(&essay).Association("Topics").Append(elems)
	}},
	{"Replace", func(db *gorm.DB, elems []*Topic) error {
		return db.Model(&Essay{ID: 1}).Association("Topics").Replace(elems)
	}},
	{"Save", func(db *gorm.DB, elems []*Topic) error {
		return db.Save(&Essay{ID: 1, Title: "e1", Topics: elems}).Error
	}},
	{"Updates", func(db *gorm.DB, elems []*Topic) error {
		return db.Updates(&Essay{ID: 1, Title: "e1", Topics: elems}).Error
	}},
	{"Updates with the relation selected", func(db *gorm.DB, elems []*Topic) error {
		return db.Select("Topics").Updates(&Essay{ID: 1, Topics: elems}).Error
	}},
	{"gorm.G Set Update", func(db *gorm.DB, elems []*Topic) error {
		values := make([]any, len(elems))
		for i, elem := range elems {
			values[i] = elem
		}
		return genericSet[Essay](context.Background(), db, "Topics", values...)
	}},
	{"Create", func(db *gorm.DB, elems []*Topic) error {
		return db.Create(&Essay{Title: "new", Topics: elems}).Error
	}},
	{"Create of a slice", func(db *gorm.DB, elems []*Topic) error {
		return db.Create([]*Essay{{Title: "new", Topics: elems}, {Title: "without"}}).Error
	}},
	{"Save of an owner whose key is not stored", func(db *gorm.DB, elems []*Topic) error {
		return db.Save(&Essay{ID: 4, Title: "new", Topics: elems}).Error
	}},
	{"gorm.G Create", func(db *gorm.DB, elems []*Topic) error {
		return genericCreate(context.Background(), db, &Essay{Title: "new", Topics: elems})
	}},
}

// mixedNames are stored, new and equal ones.
var mixedNames = []string{"b", "s2", "a", "b", "s1", "s2", "c"}

// checkMixed checks what a call with mixedNames has left.
func checkMixed(t *testing.T, db *gorm.DB, elems []*Topic) {
	t.Helper()
	ownRows(t, db, elems...)
	require.Equal(t, "7", tally(t, db, "topics"))
	require.Equal(t, []string{"a", "b", "c", "s1", "s2"}, rows(t, db, `SELECT t.name FROM essay_topics AS j JOIN topics AS t ON t.id = j.topic_id WHERE j.essay_id IN (1, 4) ORDER BY 1`))
}

func naturalForms(t *testing.T, e Engine) {
	for under := range modes {
		for _, way := range naturalWays {
			t.Run(under+" "+way.name, func(t *testing.T) {
				needsGenerics(t, way.name)
				db, elems := desk(t, e.With(t, mode(under)), byName), topics(mixedNames...)
				require.NoError(t, way.run(db, elems))
				checkMixed(t, db, elems)
				if again := topics(mixedNames...); way.name != "Save of an owner whose key is not stored" {
					require.NoError(t, addTopics(db, 2, again...))
					ownRows(t, db, again...)
				}
				require.Equal(t, "7", tally(t, db, "topics"))
			})
		}
	}
}

func naturalFormsInside(t *testing.T, e Engine) {
	for _, way := range naturalWays {
		t.Run(way.name, func(t *testing.T) {
			needsGenerics(t, way.name)
			db, elems := desk(t, e.DB(t), byName), topics(mixedNames...)
			require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
				require.NoError(t, tx.Transaction(func(nested *gorm.DB) error { return way.run(nested, elems) }))
				checkMixed(t, tx, elems)
				usable(t, tx)
				return errHook
			}), errHook)
			require.Equal(t, "4", tally(t, db, "topics"))
			require.Equal(t, "0", tally(t, db, "essay_topics"))
		})
	}
}

func naturalBatchOwners(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName)
	essays, first, second, third := []Essay{{ID: 1}, {ID: 2}, {ID: 3}}, topics("b", "s1"), topics("s1", "a", "b"), topics("a")
	require.NoError(t, db.Model(&essays).Association("Topics").Append(&first, &second, &third))
	ownRows(t, db, slices.Concat(first, second, third)...)
	require.Equal(t, [][]string{{"b", "s1"}, {"a", "b", "s1"}, {"a"}}, [][]string{about(t, db, 1), about(t, db, 2), about(t, db, 3)})
	first, second, third = topics("s4"), topics("c", "s4"), topics("c", "s2")
	require.NoError(t, db.Model(&essays).Association("Topics").Replace(&first, &second, &third))
	ownRows(t, db, slices.Concat(first, second, third)...)
	require.Equal(t, [][]string{{"s4"}, {"c", "s4"}, {"c", "s2"}}, [][]string{about(t, db, 1), about(t, db, 2), about(t, db, 3)})
	require.Equal(t, "7", tally(t, db, "topics"))
}

// Stock GORM aborts the transaction, or passes over what it should refuse.
func naturalRefusals(t *testing.T, e Engine) {
	c1, c9 := "c1", "c9"
	for name, refusal := range map[string]struct {
		run func(tx *gorm.DB) error
		err error
	}{
		"two rows at once":       {func(tx *gorm.DB) error { return addTopics(tx, 1, topics("new")[0], &Topic{Name: "s2", Code: &c1}) }, m2msafe.ErrTargetConflict},
		"Omit of Rel.*":          {func(tx *gorm.DB) error { return addTopics(tx.Omit("Topics.*"), 1, topics("s1", "new")...) }, nil},
		"an owner without a key": {func(tx *gorm.DB) error { return addTopics(tx, 0, topics("s1", "new")...) }, m2msafe.ErrOwnerNotSaved},
		"an unstored owner":      {func(tx *gorm.DB) error { return addTopics(tx, 99, topics("s1", "s2")...) }, m2msafe.ErrOwnerNotStored},
		"a name without a unique key": {func(tx *gorm.DB) error {
			return addTopics(m2msafe.With(tx, m2msafe.NaturalKey(&Topic{}, "Lang")), 1, topics("s1")...)
		}, m2msafe.ErrNoUniqueKey},
		"another unique value that is taken": {func(tx *gorm.DB) error {
			return addTopics(m2msafe.With(tx, m2msafe.NaturalKey(&Topic{}, "Code")), 1, &Topic{Name: "s1", Code: &c9})
		}, m2msafe.ErrTargetNotStored},
	} {
		t.Run(name, func(t *testing.T) {
			db := desk(t, e.DB(t), byName, byCode)
			before := topicRows(t, db)
			check := func(err error) {
				t.Helper()
				var link *m2msafe.LinkError
				require.ErrorAs(t, err, &link)
				if refusal.err != nil {
					require.ErrorIs(t, err, refusal.err)
				}
			}
			check(refusal.run(db))
			require.Equal(t, before, topicRows(t, db))
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				check(refusal.run(tx))
				usable(t, tx)
				check(tx.Transaction(refusal.run))
				usable(t, tx)
				return addTopics(tx, 2, topics("s3")...)
			}))
			require.Equal(t, []string{"s3"}, about(t, db, 2))
			require.Empty(t, about(t, db, 1))
		})
	}
}

// Stock GORM sends as few, and mixes the keys up.
func naturalStatements(t *testing.T, e Engine) {
	lookups := regexp.MustCompile(`m2m_n\b.*topics`)
	var total []int
	for _, n := range []int{4, 200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			log := new(logbook)
			db := desk(t, e.With(t, &gorm.Config{Logger: logger.New(log, logger.Config{LogLevel: logger.Info})}), byName)
			creates := regexp.MustCompile(`INSERT INTO .` + tableOf(db, "topics") + `.`)
			exec(t, db, `INSERT INTO topics (name, lang, note)
			WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 198) SELECT 'stored' || i, '', '' FROM n`)
			require.NoError(t, addTopics(db, 2, topics("s1")...)) // the plan is made
			var elems []*Topic
			for i := range n / 2 {
				elems = append(elems, topics(fmt.Sprint("new", i), fmt.Sprint("stored", i))...)
			}
			log.lines = nil
			require.NoError(t, addTopics(db, 1, elems...))
			count := func(of *regexp.Regexp) (n int) {
				for _, line := range log.lines {
					n += len(of.FindAllString(line, 1))
				}
				return n
			}
			require.Equal(t, 1, count(creates), "creates of %d", n)
			want := 1
			if !returning(db) {
				want = 2 // their keys are read back
			}
			require.Equal(t, want, count(lookups), "lookups of %d", n)
			total = append(total, len(log.having("rows:")))
			ownRows(t, db, elems...)

			log.lines = nil
			again := &Topic{Name: elems[1].Name}
			require.NoError(t, addTopics(db, 1, again))
			require.Equal(t, []int{1, 0}, []int{count(lookups), count(creates)})

			log.lines = nil
			lost := append(topics("lost"), elems...)
			require.NoError(t, addTopics(intruded(e, db, `INSERT INTO topics (name, lang, note) VALUES ('lost', '', '')`), 3, append(lost, topics("won")...)...))
			if !clustered(db) { // where the other node's row may come late, and end the first try
				require.Equal(t, []int{2, 1}, []int{count(lookups), count(creates)}, "a lookup, a create, a look at the losers")
			}
		})
	}
	require.Len(t, total, 2)
	require.Equal(t, total[0], total[1], "statements of 4 and of 200 elements")
}

// Stock GORM has too many parameters.
func naturalMany(t *testing.T, e Engine) {
	const n = 40_000
	db := desk(t, e.DB(t), byName)
	exec(t, db, `INSERT INTO topics (name, lang, note)
		WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 'large' || i, '', '' FROM n WHERE i % 3 = 0`, n-1)
	elems := make([]*Topic, n)
	for i := range elems {
		elems[i] = &Topic{Name: fmt.Sprint("large", n-1-i)}
	}
	begun := time.Now()
	require.NoError(t, addTopics(db, 1, elems...))
	limit := time.Minute
	if tidb(db) { // in memory, and in one process with the suite
		limit *= 3
	}
	require.Less(t, time.Since(begun), limit)
	ownKeys(t, db, elems...)
	require.Equal(t, fmt.Sprint(n+4), tally(t, db, "topics"))
	require.Equal(t, fmt.Sprint(n), tally(t, db, "essay_topics"))
}

func naturalDryRun(t *testing.T, e Engine) {
	db := desk(t, e.DB(t), byName)
	elems := topics("s1", "new")
	require.NoError(t, addTopics(db.Session(&gorm.Session{DryRun: true}), 1, elems...))
	require.Equal(t, "4", tally(t, db, "topics"))
	require.Empty(t, about(t, db, 1))
}
