package lab

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/m2msafe/m2msafe"
)

func TestClassify(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{&pgconn.PgError{Code: "23505"}, "unique 23505"},
		{&pgconn.PgError{Code: "40P01"}, "deadlock 40P01"},
		{&pgconn.PgError{Code: "23503"}, "foreign key 23503"},
		{&pgconn.PgError{Code: "55000"}, "deferrable 55000"},
		{&pgconn.PgError{Code: "21000"}, "row twice 21000"},
		{&pgconn.PgError{Code: "40001"}, "serialization 40001"},
		{&pgconn.PgError{Code: "22012"}, "other 22012"},
		{fmt.Errorf("far: %w", fmt.Errorf("away: %w", &pgconn.PgError{Code: "23505"})), "unique 23505"},
		{&m2msafe.LinkError{Cause: &pgconn.PgError{Code: "23505"}}, "unique 23505"},
		{&m2msafe.LinkError{Err: m2msafe.ErrTargetNotStored}, "other"},
		{errors.New("extended protocol limited to 65535 parameters"), "too many params"},
		{fmt.Errorf("insert: %w", context.DeadlineExceeded), "timed out"},
		{fmt.Errorf("%w: index out of range", errPanic), "panic"},
		{errors.New("UNIQUE, says somebody"), "other"},
	} {
		require.Equal(t, test.want, Classify(test.err).String(), test.err)
	}
}

// SQLite's errors are asked of SQLite.
func TestClassifySQLite(t *testing.T) {
	_, db := openLite(t)
	require.NoError(t, library(1, 1)(db, Size{}))
	require.NoError(t, db.Exec(`CREATE TABLE uniques (n integer UNIQUE)`).Error)
	numbers := make([]int, 40_000)
	for _, test := range []struct {
		sql  string
		vars []any
		want string
	}{
		{`INSERT INTO uniques VALUES (1), (1)`, nil, "unique"},
		{`INSERT INTO article_publications (article_id, publication_id) VALUES (1, 1), (1, 1)`, nil, "unique"},
		{`INSERT INTO article_publications (article_id, publication_id) VALUES (1, 7)`, nil, "foreign key"},
		{`DELETE FROM uniques WHERE n IN ?`, []any{numbers}, "too many params"},
		{`nonsense`, nil, "other"},
	} {
		require.Equal(t, test.want, Classify(db.Exec(test.sql, test.vars...).Error).String(), test.sql)
	}
}
