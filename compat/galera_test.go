package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/compat/mariadb"
	"github.com/m2msafe/m2msafe/internal/sent"
)

var cluster = server(func(ctx context.Context) (*nodes, error) {
	if _, err := script(ctx, "install.sh", "mariadb"); err != nil {
		return nil, err
	}
	all, err := mariadb.Galera(ctx)
	return &nodes{all}, err
})

type nodes struct{ all []*mariadb.Server }

// Stop stops all of them.
func (n *nodes) Stop() (err error) {
	for _, node := range n.all {
		err = errors.Join(err, node.Stop())
	}
	return err
}

// TestGaleraCounting has numbers as nodes give them out by default, each leaving out
// those of the other: writers on both nodes create owners with the same new targets.
func TestGaleraCounting(t *testing.T) {
	if !strings.Contains(os.Getenv(EnginesEnv), "galera") {
		t.Skip("make test-engine ENGINE=galera runs it")
	}
	db := desk(t, galera(t, "ON").DB(t), byName)
	const rounds = 10
	for round := range rounds {
		require.Empty(t, rush(func(writer int) error {
			essay, elems := &Essay{Title: fmt.Sprint(writer)}, names(round)
			if err := db.Create(essay).Error; err != nil {
				return err
			}
			if err := db.Model(essay).Association("Topics").Append(elems); err != nil {
				return err
			}
			for _, elem := range elems {
				if stored := one(t, db, `SELECT name FROM topics WHERE id = ?`, elem.ID); stored != elem.Name {
					return fmt.Errorf("%q has the key of %q", elem.Name, stored)
				}
			}
			return nil
		}))
	}
	require.Equal(t, fmt.Sprint(4+50*rounds), tally(t, db, "topics"))
	require.Empty(t, counted(t, db, "essay_topics", "essay_id, topic_id", 50*raceWriters*rounds))
}

// TestGaleraIsAsked has each transaction of the plugin's asked whether it is one still,
// as the last thing before COMMIT.
func TestGaleraIsAsked(t *testing.T) {
	if !strings.Contains(os.Getenv(EnginesEnv), "galera") {
		t.Skip("make test-engine ENGINE=galera runs it")
	}
	pool, err := desk(t, galera(t, "OFF").DB(t), byName).DB()
	require.NoError(t, err)
	var record sent.Record
	db, err := gorm.Open(mysql.New(mysql.Config{Conn: record.Pool(pool)}), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	require.NoError(t, db.Use(m2msafe.New()))
	essay := &Essay{Title: "e"}
	for name, call := range map[string]func() error{
		"Create":      func() error { return db.Create(&Essay{Title: "f", Topics: []*Topic{{Name: "create"}}}).Error },
		"Append":      func() error { return db.Model(essay).Association("Topics").Append(&Topic{Name: "append"}) },
		"GetOrCreate": func() error { _, err := m2msafe.GetOrCreate(t.Context(), db, &Topic{Name: "get"}); return err },
		"LinkKeys": func() error {
			_, err := m2msafe.LinkKeys(t.Context(), db, &Essay{}, "Topics", uint(1), uint(1))
			return err
		},
		"Transaction": func() error {
			return m2msafe.Transaction(t.Context(), db, func(tx *gorm.DB) error { return tx.Create(&Topic{Name: "transaction"}).Error })
		},
	} {
		t.Run(name, func(t *testing.T) {
			if essay.ID == 0 {
				require.NoError(t, db.Create(essay).Error)
			}
			record.Take()
			require.NoError(t, call())
			statements, commits := record.Take(), 0
			for i, s := range statements {
				if s.SQL == "COMMIT" {
					commits++
					require.Equal(t, "SELECT @@in_transaction", statements[i-1].SQL)
				}
			}
			t.Log(sent.Kinds(statements))
			require.NotZero(t, commits)
		})
	}
}

// galera runs the suite across the nodes: any two statements that are not of one
// transaction may go to different ones.
func galera(t *testing.T, numbersOfItsOwn string) Engine {
	t.Helper()
	nodes := cluster(t).all
	on := func(node *mariadb.Server, database string) string { return node.DSN(database) + deep }
	for _, node := range nodes {
		atNode(t, on(node, ""), "SET GLOBAL wsrep_auto_increment_control = "+numbersOfItsOwn)
	}
	e := MySQL{
		Schema: plainText,
		DSN:    func(database string) string { return on(nodes[0], database) },
		Pool: func(t testing.TB, database string) gorm.ConnPool {
			var turns inTurn
			for _, node := range nodes {
				turns.add(t, on(node, database)+sqlMode)
				// A node does not know a database that the other one has just made.
				atNode(t, on(node, ""), "SELECT 1")
			}
			return sql.OpenDB(&turns)
		},
	}.Engine()
	e.Vary = &Variant{Breaks: map[string]string{
		"a lock that is waited for too long is a loss, and is waited for again":    "nobody waits for a lock of another node's: the two meet at COMMIT",
		"revived: it has been made and deleted since the transaction's first look": "a transaction of the caller's that another node's has ended can COMMIT without a word and store nothing: docs/semantics.md, Galera",
	}}
	return e
}

func atNode(t testing.TB, dsn, statement string) {
	t.Helper()
	pool, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	_, err = pool.Exec(statement)
	require.NoError(t, errors.Join(err, pool.Close()))
}

// inTurn is a connector whose connections go to one node after the other.
type inTurn struct {
	nodes []driver.Connector
	next  atomic.Uint64
}

func (c *inTurn) add(t testing.TB, dsn string) {
	t.Helper()
	config, err := mysqldriver.ParseDSN(dsn)
	require.NoError(t, err)
	node, err := mysqldriver.NewConnector(config)
	require.NoError(t, err)
	c.nodes = append(c.nodes, node)
}

// Connect is the next node's.
func (c *inTurn) Connect(ctx context.Context) (driver.Conn, error) {
	return c.nodes[c.next.Add(1)%uint64(len(c.nodes))].Connect(ctx)
}

// Driver is that of the nodes.
func (c *inTurn) Driver() driver.Driver { return c.nodes[0].Driver() }
