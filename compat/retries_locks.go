package compat

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// retriesLocks are about locks that somebody else holds for too long.
var retriesLocks = []behaviour{
	{"a lock that is waited for too long is a loss, and is waited for again", retryLocked},
}

// impatient is a session that waits for a lock for so long, and no longer.
func impatient(t *testing.T, db *gorm.DB, call func(db *gorm.DB, patience time.Duration)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // if it waits for ever
	defer cancel()
	require.NoError(t, db.Connection(func(session *gorm.DB) error {
		session = session.Session(&gorm.Session{NewDB: true, Context: ctx})
		switch db.Name() {
		case "postgres":
			exec(t, session, `SET lock_timeout = '50ms'`)
			defer exec(t, session, `RESET lock_timeout`)
			call(session, 50*time.Millisecond)
		case "mysql":
			exec(t, session, `SET innodb_lock_wait_timeout = 1`)
			defer exec(t, session, `SET innodb_lock_wait_timeout = DEFAULT`)
			call(session, time.Second)
		default:
			exec(t, session, `PRAGMA busy_timeout = 50`)
			defer exec(t, session, `PRAGMA busy_timeout = 10000`)
			call(session, 50*time.Millisecond)
		}
		return nil
	}))
}

func retryLocked(t *testing.T, e Engine) {
	for name, targets := range map[string]func() []*Player{
		"links alone":  func() []*Player { return []*Player{{ID: 1}} },
		"a new target": func() []*Player { return []*Player{{ID: 1}, {Name: "a"}} },
	} {
		t.Run(name, func(t *testing.T) {
			db := teams(t, e)
			impatient(t, db, func(session *gorm.DB, patience time.Duration) {
				holder := db.Begin()
				require.NoError(t, holder.Error)
				defer holder.Rollback()
				exec(t, holder, `DELETE FROM teams WHERE id = 1`)
				list := targets()
				appends := func(db *gorm.DB) error { return db.Model(&Team{ID: 1}).Association("Players").Append(list) }
				require.ErrorIs(t, appends(m2msafe.With(session, m2msafe.Retries(0))), m2msafe.ErrRetry)
				require.Equal(t, targets(), list)
				require.ErrorIs(t, session.Transaction(appends), m2msafe.ErrRetry)
				list = targets()
				began := time.Now()
				released := make(chan struct{})
				time.AfterFunc(patience+patience/4, func() {
					holder.Rollback()
					close(released)
				})
				err := appends(session)
				<-released
				require.NoError(t, err)
				require.Greater(t, time.Since(began), patience, "it has lost at least once")
				require.Equal(t, len(list), len(rosters(t, db, list[1:]...)))
			})
		})
	}
}
