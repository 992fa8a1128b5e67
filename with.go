package m2msafe

import (
	"context"
	"database/sql"
	"maps"

	"gorm.io/gorm"
)

// With returns a *gorm.DB whose calls follow opts on top of those given to
// [New]. It is a new session, safe for concurrent use if its options are; the
// options reach every statement made through it, by gorm.G and in its
// transactions too. A refused option ([ErrOption]) or a db without the plugin
// ([ErrNotInUse]), or, unless [Off] is given, with a database that the plugin has
// no statements for ([ErrUnsupportedDatabase]), is the error of every call made
// through it.
func With(db *gorm.DB, opts ...Option) *gorm.DB {
	tx := db.Session(&gorm.Session{})
	base, ok := db.Plugins[pluginName].(*Plugin)
	if !ok {
		return refuse(db, ErrNotInUse)
	}
	s, err := base.settings.apply(true, opts)
	if err != nil {
		return refuse(db, err)
	}
	if !s.given["Off"] && dialectOf(db) == nil {
		return refuse(db, unsupported(db))
	}
	if !s.given["Off"] && len(s.given) > 0 {
		s.off = false
	}
	setPlugin(tx, &Plugin{settings: s, plans: base.plans})
	return tx
}

// setPlugin gives a session a plugin of its own. Session has copied the Config, so a
// plugin table is all that this takes. Unlike Statement.Settings it survives NewDB
// sessions, as gorm.G and nested creates make them, and unlike the context nobody
// replaces it.
func setPlugin(tx *gorm.DB, plugin *Plugin) {
	plugins := maps.Clone(tx.Plugins)
	plugins[pluginName] = plugin
	tx.Plugins = plugins
}

// refuse returns a session whose every call fails with err. The error alone
// would not do: GORM's Transaction begins one on the connection, sees the error
// that was there before, and leaves the transaction open.
func refuse(db *gorm.DB, err error) *gorm.DB {
	tx := db.Session(&gorm.Session{Context: db.Statement.Context}) // a Statement of its own
	tx.Statement.ConnPool = refused{err}
	tx.Config.ConnPool = refused{err}
	_ = tx.AddError(err)
	return tx
}

// refused is a connection pool that gives nothing but an error.
type refused struct{ err error }

func (r refused) PrepareContext(context.Context, string) (*sql.Stmt, error) { return nil, r.err }
func (r refused) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, r.err
}
func (r refused) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, r.err
}

// QueryRowContext is never called: GORM does not get that far with an error.
func (r refused) QueryRowContext(context.Context, string, ...any) *sql.Row { return nil }

func (r refused) BeginTx(context.Context, *sql.TxOptions) (gorm.ConnPool, error) {
	return nil, r.err
}
