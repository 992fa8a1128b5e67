package m2msafe_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// members makes the tables of the examples, with the users and groups 1 to 3.
func members(t testing.TB, db *gorm.DB) {
	t.Helper()
	require.NoError(t, db.SetupJoinTable(&User{}, "Groups", &Membership{}))
	require.NoError(t, db.AutoMigrate(&User{}, &Group{}))
	exec(t, db, `INSERT INTO users SELECT n FROM generate_series(1, 3) AS n`)
	exec(t, db, `INSERT INTO groups SELECT n FROM generate_series(1, 3) AS n`)
}

func memberships(t testing.TB, db *gorm.DB) []string {
	t.Helper()
	return stored(t, db, `SELECT user_id, group_id, role FROM memberships ORDER BY 1, 2`)
}

func TestGetOrCreateOnAThroughModel(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	members(t, db)
	ctx := t.Context()
	exec(t, db, `INSERT INTO memberships VALUES (1, 1, 'admin')`)

	found := &Membership{UserID: 1, GroupID: 1, Role: "guest"}
	created, err := m2msafe.GetOrCreate(ctx, db, found)
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, Membership{1, 1, "admin"}, *found, "the stored row is loaded")

	rec.take()
	created, err = m2msafe.GetOrCreate(ctx, db, &Membership{UserID: 1, GroupID: 1})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, []string{"upsert"}, kinds(rec.take()), "a stored row costs one statement")

	fresh := &Membership{UserID: 1, GroupID: 2}
	created, err = m2msafe.GetOrCreate(ctx, db, fresh)
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, Membership{1, 2, "member"}, *fresh, "the database's default is read back")
	assert.Equal(t, []string{"upsert"}, kinds(rec.take()), "so does a new one")

	given := &Membership{UserID: 1, GroupID: 3, Role: "guest"}
	created, err = m2msafe.GetOrCreate(ctx, db, given)
	require.NoError(t, err, "a column with a default may be given too")
	assert.True(t, created)
	assert.Equal(t, "guest", given.Role)

	_, err = m2msafe.GetOrCreate(ctx, db, &Membership{UserID: 9, GroupID: 1})
	require.ErrorContains(t, err, "23503", "no user 9")
	assert.Equal(t, []string{"1|1|admin", "1|2|member", "1|3|guest"}, memberships(t, db))
}

func TestGetOrCreateInAnotherSession(t *testing.T) {
	for name, config := range map[string]gorm.Config{
		"without the default transaction": {SkipDefaultTransaction: true},
		"with prepared statements":        {PrepareStmt: true},
		"with batches of one":             {CreateBatchSize: 1},
		"with translated errors":          {TranslateError: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := connect(t, pgtest.DSN(t), &config)
			require.NoError(t, db.Use(m2msafe.New()))
			topics(t, db, "go")
			for _, want := range []bool{true, false} {
				row := &Topic{Name: "sql"}
				created, err := m2msafe.GetOrCreate(t.Context(), db, row)
				require.NoError(t, err)
				assert.Equal(t, want, created)
				assert.Equal(t, idOf(t, db, "sql"), row.ID)
			}
			assert.Equal(t, []string{"go", "sql"}, stored(t, db, `SELECT name FROM topics ORDER BY 1`))
		})
	}
}

func TestGetOrCreateIsToldCreatedOnceOfManyCallers(t *testing.T) {
	db := open(t)
	topics(t, db)
	for _, name := range []string{"go", "sql", "zig"} {
		rows, created := make([]Topic, 8), make([]bool, 8)
		errs := make([]error, 8)
		start := make(chan struct{})
		var done sync.WaitGroup
		for i := range rows {
			rows[i].Name = name
			done.Go(func() {
				<-start
				created[i], errs[i] = m2msafe.GetOrCreate(context.Background(), db, &rows[i])
			})
		}
		close(start)
		done.Wait()
		n := 0
		for i := range rows {
			require.NoError(t, errs[i])
			assert.Equal(t, idOf(t, db, name), rows[i].ID)
			if created[i] {
				n++
			}
		}
		assert.Equal(t, 1, n)
	}
	assert.Equal(t, []string{"3"}, stored(t, db, `SELECT count(*) FROM topics`))
}

func TestGetOrCreateRunsCreateHooksOfNewRowsOnly(t *testing.T) {
	db := open(t)
	topics(t, db, "stored")
	get := func(name string, hooks *topicHooks, opts ...m2msafe.Option) (bool, *Topic) {
		row := &Topic{Name: name, Note: "mine"}
		created, err := m2msafe.GetOrCreate(hooks.context(), db, row, opts...)
		require.NoError(t, err)
		assert.Equal(t, idOf(t, db, name), row.ID)
		return created, row
	}
	hooks := &topicHooks{}
	created, _ := get("new", hooks)
	assert.True(t, created)
	assert.Equal(t, []string{"BeforeCreate new", "AfterCreate new"}, hooks.ran)

	hooks = &topicHooks{}
	created, row := get("stored", hooks)
	assert.False(t, created)
	assert.Equal(t, "stored", row.Note)
	assert.Equal(t, []string{"AfterFind stored"}, hooks.ran)

	hooks = &topicHooks{}
	_, row = get("stored", hooks, m2msafe.KeysOnly())
	assert.Equal(t, "mine", row.Note)
	assert.Empty(t, hooks.ran)

	// Somebody else is faster: found after all, and AfterCreate is not run.
	hooks = &topicHooks{before: func(topic *Topic) { exec(t, db, `INSERT INTO topics (name, note) VALUES (?, 'theirs')`, topic.Name) }}
	created, row = get("raced", hooks)
	assert.False(t, created)
	assert.Equal(t, "theirs", row.Note)
	assert.Equal(t, []string{"BeforeCreate raced", "AfterFind raced"}, hooks.ran)
}

func TestGetOrCreateSavesTheAssociationsOfANewRow(t *testing.T) {
	db := open(t)
	topics(t, db, "go")
	story := &Story{ID: 20, Topics: []*Topic{{Name: "go"}, {Name: "new"}}}
	created, err := m2msafe.GetOrCreate(t.Context(), db, story)
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, []string{"20|go", "20|new"}, topicLinks(t, db))
}

func TestGetOrCreateWithoutAUsableKey(t *testing.T) {
	db := open(t)
	topics(t, db)
	clubs(t, db)
	exec(t, db, `CREATE TABLE loose (name text, note text)`)
	for name, row := range map[string]any{
		"no key of the table has a value": &Topic{Note: "x"},
		"the table has none":              &loose{Name: "x"},
	} {
		created, err := m2msafe.GetOrCreate(t.Context(), db, row)
		require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey, name)
		assert.False(t, created)
	}
	_, err := m2msafe.GetOrCreate(t.Context(), db, &Member{Email: "ann@x", Handle: "bob"})
	require.ErrorIs(t, err, m2msafe.ErrTargetConflict)
	_, err = m2msafe.GetOrCreate(t.Context(), db, &Member{Email: "x", Role: "x"}, m2msafe.NaturalKey(&Member{}, "Role"))
	require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
	_, err = m2msafe.GetOrCreate(t.Context(), db, &Goods{Code: "x"})
	require.ErrorIs(t, err, m2msafe.ErrNoJoinTable, "there is no such table")
	assert.Equal(t, []string{"0"}, stored(t, db, `SELECT count(*) FROM loose`))
}

// loose is a row of a table that has no unique key at all.
type loose struct {
	Name string
	Note string
}

func (loose) TableName() string { return "loose" }

func TestGetOrCreateUnderALockWhereThereIsNoUniqueKey(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	exec(t, db, `CREATE TABLE loose (name text, note text)`)
	guard := []m2msafe.Option{m2msafe.NaturalKey(&loose{}, "Name"), m2msafe.NoUniqueKey(m2msafe.Lock)}
	var done sync.WaitGroup
	rows, created, errs := make([]loose, 8), make([]bool, 8), make([]error, 8)
	for i := range rows {
		rows[i] = loose{Name: "go", Note: "first"}
		done.Go(func() { created[i], errs[i] = m2msafe.GetOrCreate(context.Background(), db, &rows[i], guard...) })
	}
	done.Wait()
	n := 0
	for i := range rows {
		require.NoError(t, errs[i])
		if created[i] {
			n++
		}
	}
	assert.Equal(t, 1, n)
	assert.Equal(t, []string{"go|first"}, stored(t, db, `SELECT * FROM loose`))

	rec.take()
	row := &loose{Name: "go"}
	again, err := m2msafe.GetOrCreate(t.Context(), db, row, guard...)
	require.NoError(t, err)
	assert.False(t, again)
	assert.Equal(t, "first", row.Note)
	sent := kinds(rec.take())
	assert.Equal(t, []string{"BEGIN", "lock", "find", "COMMIT"}, sent[len(sent)-4:])

	for name, c := range map[string]struct {
		opts []m2msafe.Option
		row  *loose
		says string
	}{
		"the columns are not named":  {guard[1:], &loose{Name: "x"}, "needs NaturalKey to name the columns"},
		"a column that is not there": {[]m2msafe.Option{m2msafe.NaturalKey(&loose{}, "colour"), guard[1]}, &loose{Name: "x"}, "colour"},
		"a field without a value":    {guard, &loose{}, "a field of NaturalKey has no value"},
	} {
		_, err := m2msafe.GetOrCreate(t.Context(), db, c.row, c.opts...)
		require.ErrorIs(t, err, m2msafe.ErrOption, name)
		require.ErrorContains(t, err, c.says, name)
	}
	// A snapshot that is older than the lock can't see who was first.
	err = db.Transaction(func(tx *gorm.DB) error {
		_, err := m2msafe.GetOrCreate(t.Context(), tx, &loose{Name: "x"}, guard...)
		return err
	}, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
	assert.Equal(t, []string{"1"}, stored(t, db, `SELECT count(*) FROM loose`))
}

// The options may stand in the session that With made as well.
func TestGetOrCreateFollowsTheOptionsOfItsSession(t *testing.T) {
	db := open(t)
	shops(t, db)
	clubs(t, db)
	ware := &Ware{Code: "dead"}
	created, err := m2msafe.GetOrCreate(t.Context(), m2msafe.With(db, m2msafe.DeletedTargets(m2msafe.Revive)), ware)
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, uint(1), ware.ID)

	member := &Member{Email: "ann@x", Handle: "bob"}
	_, err = m2msafe.GetOrCreate(t.Context(), m2msafe.With(db, m2msafe.NaturalKey(&Member{}, "Email")), member)
	require.NoError(t, err)
	assert.Equal(t, uint(1), member.ID)
}

func TestGetOrCreateOfSoftDeletedRows(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy m2msafe.Policy
		row    any
		fails  error
		want   bool
	}{
		{"refused", m2msafe.Refuse, &Ware{Code: "dead"}, m2msafe.ErrDeletedTarget, false},
		{"revived", m2msafe.Revive, &Ware{Code: "dead"}, nil, false},
		{"not to be ignored", m2msafe.Ignore, &Ware{Code: "dead"}, m2msafe.ErrDeletedTarget, false},
		{"ignored", m2msafe.Ignore, &Goods{Code: "dead"}, nil, true},
		{"refused, though it takes nothing", m2msafe.Refuse, &Goods{Code: "dead"}, m2msafe.ErrDeletedTarget, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			shops(t, db)
			created, err := m2msafe.GetOrCreate(t.Context(), db, c.row, m2msafe.DeletedTargets(c.policy))
			require.ErrorIs(t, err, c.fails)
			assert.Equal(t, c.want, created)
			if c.fails == nil {
				created, err = m2msafe.GetOrCreate(t.Context(), db, c.row)
				require.NoError(t, err, "it lives now")
				assert.False(t, created)
			}
		})
	}
}

// An app at the limit of its pool must not wait for itself.
func TestGetOrCreateNeedsOneConnectionAtATime(t *testing.T) {
	db := connect(t, pgtest.DSN(t), nil)
	pool, err := db.DB()
	require.NoError(t, err)
	pool.SetMaxOpenConns(1)
	require.NoError(t, db.Use(m2msafe.New()))
	topics(t, db, "go")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, row := range []*Topic{{Name: "new"}, {Name: "go"}, {ID: 50, Name: "with a key"}} {
		_, err := m2msafe.GetOrCreate(ctx, db, row)
		require.NoError(t, err, row.Name)
		assert.Equal(t, idOf(t, db, row.Name), row.ID)
	}
}

func TestGetOrCreateRefusesWhatIsNoModel(t *testing.T) {
	db := open(t)
	number := 42
	for _, row := range []any{nil, 42, &number, Topic{Name: "x"}, (*Topic)(nil), &[]Topic{{Name: "x"}}, map[string]any{"name": "x"}} {
		_, err := m2msafe.GetOrCreate(t.Context(), db, row)
		require.ErrorIs(t, err, m2msafe.ErrOption, "%T", row)
	}
	for name, narrowed := range map[string]*gorm.DB{
		"a condition": db.Where("note = ?", "x"), "Select": db.Select("Name"), "Omit": db.Omit("Note"), "Table": db.Table("stories"), "Joins": db.Joins("Topics"),
	} {
		_, err := m2msafe.GetOrCreate(t.Context(), narrowed, &Topic{Name: "x"})
		require.ErrorIs(t, err, m2msafe.ErrOption, name)
	}
	_, err := m2msafe.GetOrCreate(t.Context(), db, &struct{ Name string }{"x"})
	require.ErrorIs(t, err, m2msafe.ErrOption, "a model without a name has no table")
	_, err = m2msafe.GetOrCreate(t.Context(), db, &Topic{Name: "x"}, nil)
	require.ErrorIs(t, err, m2msafe.ErrOption)
	_, err = m2msafe.GetOrCreate(t.Context(), connect(t, pgtest.DSN(t), nil), &Topic{Name: "x"})
	require.ErrorIs(t, err, m2msafe.ErrNotInUse)
}

func TestGetOrCreateInTheCallersTransaction(t *testing.T) {
	db, rec := recorded(t, &gorm.Config{})
	topics(t, db, "go")
	_, err := m2msafe.GetOrCreate(t.Context(), db, &Topic{Name: "go"})
	require.NoError(t, err)
	rec.take()
	rolledBack := errors.New("rolled back by the caller")
	hooks := &topicHooks{before: func(topic *Topic) {
		if topic.Name == "raced" {
			exec(t, db, `INSERT INTO topics (name) VALUES ('raced')`)
		}
	}}
	err = db.Transaction(func(tx *gorm.DB) error {
		for name, want := range map[string]bool{"go": false, "new": true, "raced": false} {
			row := &Topic{Name: name}
			created, err := m2msafe.GetOrCreate(hooks.context(), tx, row)
			require.NoError(t, err)
			assert.Equal(t, want, created, name)
			assert.NotZero(t, row.ID)
		}
		_, err := m2msafe.GetOrCreate(t.Context(), tx, &Topic{Note: "no key"})
		require.ErrorIs(t, err, m2msafe.ErrNoUniqueKey)
		require.NoError(t, tx.Exec(`SELECT 1`).Error, "the transaction goes on")
		return rolledBack
	})
	require.ErrorIs(t, err, rolledBack)
	for _, kind := range kinds(rec.take())[1:] {
		assert.NotContains(t, []string{"BEGIN", "COMMIT"}, kind)
	}
	assert.Equal(t, []string{"go", "raced"}, stored(t, db, `SELECT name FROM topics ORDER BY 1`))
}

func TestALostRaceUnderRepeatableReadSaysRetry(t *testing.T) {
	db := open(t)
	topics(t, db)
	for name, call := range map[string]func(ctx context.Context, tx *gorm.DB) error{
		"GetOrCreate": func(ctx context.Context, tx *gorm.DB) error {
			_, err := m2msafe.GetOrCreate(ctx, tx, &Topic{Name: "GetOrCreate"})
			return err
		},
		"Append": func(ctx context.Context, tx *gorm.DB) error {
			return tx.WithContext(ctx).Model(&Story{ID: 1}).Association("Topics").Append(&Topic{Name: "Append"})
		},
	} {
		hooks := &topicHooks{before: func(topic *Topic) { exec(t, db, `INSERT INTO topics (name) VALUES (?)`, topic.Name) }}
		err := db.Transaction(func(tx *gorm.DB) error { return call(hooks.context(), tx) }, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		require.ErrorIs(t, err, m2msafe.ErrRetry, name)
		assert.ErrorContains(t, err, "run the transaction again", name)
		assert.Equal(t, "40001", sqlState(err), name)
	}
}

func TestGetOrCreateOfACancelledContext(t *testing.T) {
	db := open(t)
	topics(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	created, err := m2msafe.GetOrCreate(ctx, db, &Topic{Name: "go"})
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, created)
	_, err = m2msafe.LinkKeys(ctx, db, &Story{}, "Topics", 1, 1)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []string{"0"}, stored(t, db, `SELECT count(*) FROM topics`))
}
