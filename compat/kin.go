package compat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// kin says whether a database is sent the statements of PostgreSQL's kin.
func kin(db *gorm.DB) bool {
	var version string
	quiet := db.Session(&gorm.Session{NewDB: true, Logger: logger.Discard})
	return db.Name() == "postgres" && quiet.Raw(`SELECT version()`).Scan(&version).Error == nil && strings.HasPrefix(version, "CockroachDB")
}

// unguarded skips what a lock is to keep apart.
func unguarded(t testing.TB, db *gorm.DB) {
	t.Helper()
	if clustered(db) {
		t.Skip("row locks are those of a node: on several a join table without a unique key can't be guarded")
	}
	if kin(db) {
		t.Skip("there is nothing to lock that PostgreSQL's kin have in common: it is ErrNoUniqueKey")
	}
}

// takesTurns says whether a join table without a unique key on the pair takes links here.
// Where there is nothing to lock it checks that it takes none, under ErrNoUniqueKey.
func takesTurns(t *testing.T, db *gorm.DB) bool {
	t.Helper()
	if !kin(db) {
		return true
	}
	before := linked(t, db)
	for _, call := range []func(*gorm.DB) error{
		func(db *gorm.DB) error { return link(db, 1, 2) },
		func(db *gorm.DB) error { return db.Save(&Article{ID: 1, Publications: publications(2)}).Error },
		func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				require.ErrorIs(t, link(tx, 1, 2), m2msafe.ErrNoUniqueKey)
				usable(t, tx)
				return m2msafe.ErrNoUniqueKey
			})
		},
	} {
		require.ErrorIs(t, call(db), m2msafe.ErrNoUniqueKey)
	}
	require.Equal(t, before, linked(t, db))
	return false
}

// advised is the DDL that mends a join table, as a call's error has it that nothing could
// be locked for, or as the log has it of one that is nil.
func advised(t *testing.T, db *gorm.DB, log *logbook, err error) string {
	t.Helper()
	var said string
	if kin(db) {
		require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
		require.Empty(t, log.having("mend it with: "))
		said = strings.TrimSuffix(err.Error(), ")")
	} else {
		require.NoError(t, err)
		said = log.having("mend it with: ")[0]
	}
	_, ddl, found := strings.Cut(said, "mend it with: ")
	require.True(t, found, said)
	return ddl
}

// predicates skips a unique key with a predicate where that plays no part.
func predicates(t testing.TB, db *gorm.DB) {
	t.Helper()
	if kin(db) {
		t.Skip("of PostgreSQL's kin no unique key with a predicate is taken for the pair's, or for a name's")
	}
}
