package m2msafe

import (
	"maps"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// A connection resolver, which is dbresolver, chooses a connection in front of
// each statement, by its model, its clauses and its SQL, and leaves a transaction
// alone. It has chosen for the call by the time that the plugin's callbacks run.
// The plugin's own statements have neither the model nor the clauses, and stay on
// that connection.

// resolverName is dbresolver's callback.
const resolverName = "gorm:db_resolver"

// resolve has a resolver choose for a call that is no statement of GORM's, as it
// does for a create of the model.
func resolve(db *gorm.DB) {
	if choose := db.Callback().Create().Get(resolverName); choose != nil {
		choose(db)
	}
}

// isMark says whether a clause, by its name, is nothing but a mark for a resolver.
func isMark(name string) bool { return strings.HasPrefix(name, "gorm:") }

// session is a new one for GORM's own statements beside the call's: they go where
// the call's marks say.
func (l *links) session(config *gorm.Session) *gorm.DB {
	config.NewDB, config.Initialized = true, true
	tx := l.db.Session(config)
	maps.Copy(tx.Statement.Clauses, l.db.Statement.Clauses)
	maps.DeleteFunc(tx.Statement.Clauses, func(name string, _ clause.Clause) bool { return !isMark(name) })
	return tx
}

// pin keeps a statement on its connection.
func pin(stmt *gorm.Statement) {
	if _, inside := stmt.ConnPool.(gorm.TxCommitter); !inside && stmt.ConnPool != nil {
		stmt.ConnPool = pinned{stmt.ConnPool}
	}
}

// pinned is a pool that looks like a transaction to whoever would replace it.
type pinned struct{ gorm.ConnPool }

// Commit and Rollback are never called: nobody has begun anything.
func (pinned) Commit() error   { return gorm.ErrInvalidTransaction }
func (pinned) Rollback() error { return gorm.ErrInvalidTransaction }
