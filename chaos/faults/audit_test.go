package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// stage is a run whose writers have made some calls of each kind, without a fault.
func stage(t *testing.T) *run {
	t.Helper()
	p := &plan{Config: Config{Writers: len(pools)}, warm: 2 * len(kinds)}
	for w := range p.Writers {
		p.calls = append(p.calls, drawCalls(rand.New(rand.NewPCG(1, uint64(w))), w, p.warm, 0))
	}
	r := newRun(p)
	r.settle = 100 * time.Millisecond
	s, err := startPostgres(t.Context())
	skipWithout(t, err)
	t.Cleanup(func() { require.NoError(t, s.stop()) })
	r.server = s
	require.NoError(t, s.seed(t.Context(), p))
	require.NoError(t, r.write(t.Context()))
	require.Empty(t, r.broken)
	return r
}

// scene is what a case of the audit's test breaks: one call, and rows, which are put
// back afterwards.
type scene struct {
	t    *testing.T
	tx   *sql.Tx
	call *call
	all  []*call
}

func (s *scene) exec(format string, args ...any) {
	s.t.Helper()
	result, err := s.tx.Exec(fmt.Sprintf(format, args...))
	require.NoError(s.t, err)
	n, err := result.RowsAffected()
	require.NoError(s.t, err)
	require.NotZero(s.t, n, format)
}

// fails makes the call one that has failed, with an error.
func (s *scene) fails(err error) { s.call.tries = []try{{err: err}} }

// gone takes back all that the call has stored, but for what others have.
func (s *scene) gone() {
	for _, id := range s.call.owners {
		_, err := s.tx.Exec("DELETE FROM owner_labels WHERE owner_id = $1", id)
		require.NoError(s.t, err)
	}
	for _, e := range s.call.elements {
		if slices.ContainsFunc(s.call.targets, func(t target) bool { return t.name == e.name && !t.own }) {
			continue
		}
		for _, j := range joins {
			if targetsOf(j.table) == e.table || e.table == owners {
				column := map[bool]string{true: "owner_id", false: j.target}[e.table == owners]
				_, err := s.tx.Exec(fmt.Sprintf("DELETE FROM %s WHERE %s = %d", j.table, column, *e.at))
				require.NoError(s.t, err)
			}
		}
	}
	for _, e := range s.call.elements {
		if !slices.ContainsFunc(s.call.targets, func(t target) bool { return t.name == e.name && !t.own }) {
			s.exec("DELETE FROM %s WHERE id = %d", e.table, *e.at)
		}
	}
}

// undone is gone, in memory too.
func (s *scene) undone() {
	s.gone()
	for _, e := range s.call.elements {
		*e.at = e.was
	}
}

// own is a target of the call's own.
func (s *scene) own() element {
	i := slices.IndexFunc(s.call.targets, func(t target) bool { return t.own })
	return s.call.elements[i]
}

var errCancelled = &pgconn.PgError{Code: "57014"}

// Each invariant is seen to be broken, and by no more than what breaks it.
func TestAuditSees(t *testing.T) {
	r := stage(t)
	cases := []struct {
		name, kind string
		breaks     func(s *scene)
		want       []string
	}{
		{"nothing", "Create", func(*scene) {}, nil},
		{"a link that is gone", "Append of stored targets", func(s *scene) {
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d AND label_id = %d", s.call.owners[0], s.call.targets[0].id)
		}, []string{linkMissing}},
		{"a link of all that is gone", "LinkKeys", func(s *scene) {
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d AND label_id = %d", s.call.owners[0], s.call.targets[0].id)
		}, []string{linkMissing}},
		{"a mark that is gone", "Append without a unique key", func(s *scene) {
			s.exec("DELETE FROM owner_marks WHERE owner_id = %d AND label_id = %d", s.call.owners[0], s.call.targets[0].id)
		}, []string{linkMissing}},
		{"an owner that is gone", "Create", func(s *scene) {
			id := s.call.creates[0].ID
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d", id)
			_, err := s.tx.Exec("DELETE FROM owner_notes WHERE owner_id = $1", id)
			require.NoError(s.t, err)
			s.exec("DELETE FROM owners WHERE id = %d", id)
		}, []string{linkMissing, keyWrong}},
		{"a link to another's row", "Append by names", func(s *scene) {
			s.exec("UPDATE owner_labels SET label_id = 1 WHERE owner_id = %d AND label_id = %d", s.call.owners[0], *s.call.elements[0].at)
		}, []string{linkMissing, stranger}},
		{"a pair twice", "Append without a unique key", func(s *scene) {
			s.exec("INSERT INTO owner_marks (owner_id, label_id) SELECT owner_id, label_id FROM owner_marks WHERE owner_id = %d LIMIT 1", s.call.owners[0])
		}, []string{pairTwice}},
		{"a name twice", "Append by names", func(s *scene) {
			_, err := s.tx.Exec("ALTER TABLE labels DROP CONSTRAINT uni_labels_name")
			require.NoError(s.t, err)
			s.exec("INSERT INTO labels (name) VALUES ('%s')", s.call.targets[0].name)
		}, []string{targetTwice}},
		{"a note twice", "Append without natural keys", func(s *scene) {
			s.exec("INSERT INTO notes (tag) VALUES ('%s')", s.call.more[0].name)
		}, []string{targetTwice}},
		{"a key of another", "Append of stored and new", func(s *scene) { *s.call.elements[0].at = 1 << 30 }, []string{keyWrong}},
		{"a created owner's key of another", "Create", func(s *scene) { s.call.creates[0].ID++ }, []string{keyWrong}},
		{"two who have created it", "GetOrCreate", func(s *scene) {
			s.call.claims = []string{"labels x"}
			s.all[0].claims = []string{"labels x"}
		}, []string{createdTwice}},
		{"a note of nobody", "Create", func(s *scene) { s.exec("INSERT INTO notes (tag) VALUES ('whose')") }, []string{stranger}},
		{"an error of no fault", "Append of stored targets", func(s *scene) {
			s.fails(errors.New("what is that"))
			s.gone()
		}, []string{unexplained}},
		{"an error of no fault at an earlier try", "Append of stored targets", func(s *scene) {
			s.call.tries = []try{{err: &pgconn.PgError{Code: "23505"}}, {}}
		}, []string{unexplained}},

		{"failed and not done", "Create", func(s *scene) { s.fails(errCancelled); s.undone() }, nil},
		{"failed and done, its answer lost", "Create", func(s *scene) { s.fails(context.Canceled) }, nil},
		{"refused and done", "Create", func(s *scene) { s.fails(errCancelled) }, []string{doneInSpite}},
		{"failed and half done", "Append of stored and new", func(s *scene) {
			s.fails(context.Canceled)
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d AND label_id = %d", s.call.owners[0], *s.own().at)
		}, []string{halfDone}},
		{"failed, and a target without its link", "Append without natural keys", func(s *scene) {
			s.fails(errCancelled)
			s.undone()
			s.exec("INSERT INTO notes (tag) VALUES ('%s')", s.call.more[0].name)
		}, []string{halfDone}},
		{"half of a transaction", "two Appends in a transaction", func(s *scene) {
			s.fails(errCancelled)
			s.exec("DELETE FROM owner_notes WHERE owner_id = %d", s.call.owners[0])
		}, []string{halfDone}},
		{"failed and not done, and a key is left", "Append without natural keys", func(s *scene) {
			s.fails(errCancelled)
			s.undone()
			*s.call.elements[0].at = 1 << 30
		}, []string{keyGhost}},
		{"failed, the answer to COMMIT lost, and a key is left", "Append without natural keys", func(s *scene) {
			s.fails(context.Canceled)
			s.call.tries[0].last = true
			s.undone()
			*s.call.elements[0].at = 1 << 30
		}, nil},
		{"failed before its COMMIT, and a key is left", "Append without natural keys", func(s *scene) {
			s.fails(context.Canceled)
			s.undone()
			*s.call.elements[0].at = 1 << 30
		}, []string{keyGhost}},
		{"failed, and another's key", "Append of stored and new", func(s *scene) {
			s.fails(context.Canceled)
			s.undone()
			s.exec("INSERT INTO labels (id, name) VALUES (1000000, 'shared-0-0-x')")
			*s.call.elements[len(s.call.elements)-1].at = 1000000
		}, []string{keyForeign, stranger}},

		{"replaced, and one stays", "Replace", func(s *scene) {
			s.exec("INSERT INTO owner_labels (owner_id, label_id) VALUES (%d, %d)", s.call.owners[0], s.call.before[0].id)
		}, []string{linkMissing}},
		{"not replaced, and one is gone", "Replace", func(s *scene) {
			s.fails(errCancelled)
			s.exec("INSERT INTO owner_labels (owner_id, label_id) VALUES (%d, %d)", s.call.owners[0], s.call.before[0].id)
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d AND label_id = %d", s.call.owners[0], *s.call.elements[0].at)
		}, []string{halfDone}},
		{"some of several owners", "Append to several owners", func(s *scene) {
			s.fails(errCancelled)
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d", s.call.owners[1])
		}, nil},
		{"the last of several owners alone", "Append to several owners", func(s *scene) {
			s.fails(errCancelled)
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d", s.call.owners[0])
		}, []string{halfDone}},
		{"half of a chunk", "LinkPairs", func(s *scene) {
			s.fails(errCancelled)
			s.call.pairs = chunkSize
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d AND label_id = %d", s.call.owners[0], s.call.targets[chunkSize].id)
		}, []string{halfDone}},
		{"a chunk that is said to be linked", "LinkPairs", func(s *scene) {
			s.fails(errCancelled)
			s.exec("DELETE FROM owner_labels WHERE owner_id = %d AND label_id = %d", s.call.owners[0], s.call.targets[0].id)
		}, []string{halfDone}},
		{"fewer pairs than linked", "LinkPairs", func(s *scene) { s.call.pairs-- }, []string{linkMissing}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tx, err := r.server.admin.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, tx.Rollback()) }()
			var all []*call
			for _, one := range slices.Concat(r.plan.calls...) {
				copied := *one
				copied.elements = slices.Clone(one.elements)
				for i, e := range copied.elements {
					key := *e.at
					copied.elements[i].at = &key
				}
				if len(one.creates) > 0 {
					o := *one.creates[0]
					copied.creates = []*Owner{&o}
					copied.elements[len(one.elements)-len(one.creates)].at = &o.ID
				}
				all = append(all, &copied)
			}
			i := slices.IndexFunc(all, func(one *call) bool { return one.kind.name == c.kind })
			require.GreaterOrEqual(t, i, 0, c.kind)
			c.breaks(&scene{t, tx, all[i], all})
			s, err := read(t.Context(), tx)
			require.NoError(t, err)
			var broken []string
			for _, b := range newAudit(s, all).broken {
				t.Log(b.Invariant, b.What)
				broken = append(broken, b.Invariant)
			}
			slices.Sort(broken)
			slices.Sort(c.want)
			require.Equal(t, c.want, slices.Compact(broken))
		})
	}
}

// What is left open is seen: a connection, its transaction, a session, a goroutine.
func TestRestSees(t *testing.T) {
	r := stage(t)
	r.pools = nil
	p, err := openPool(&pools[0], r.server, 2)
	require.NoError(t, err)
	r.pools = append(r.pools, p)
	defer func() { require.NoError(t, p.close()) }()
	invariants := func() (list []string) {
		for _, b := range r.broken {
			t.Log(b.Invariant, b.What)
			list = append(list, b.Invariant)
		}
		r.broken = nil
		return slices.Compact(list)
	}
	require.NoError(t, r.atRest(t.Context()))
	require.Empty(t, invariants())

	open := p.db.Begin()
	require.NoError(t, open.Error)
	require.NoError(t, r.atRest(t.Context()))
	require.Equal(t, []string{leftInUse, leftOpen}, invariants())
	require.NoError(t, open.Exec("SELECT pg_advisory_lock(1)").Error)
	require.NoError(t, open.Commit().Error)
	require.NoError(t, r.atRest(t.Context()))
	require.Equal(t, []string{leftOpen}, invariants(), "a lock of the session's")

	sessions, err := r.server.texts(t.Context(), r.server.sessions)
	require.NoError(t, err)
	require.NotEmpty(t, sessions)

	before, end := goleak.IgnoreCurrent(), make(chan struct{})
	require.Empty(t, goroutines(before))
	go func() { <-end }()
	require.NotEmpty(t, goroutines(before))
	close(end)
}
