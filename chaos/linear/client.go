package linear

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// client makes calls, one after the other, and notes what it sees.
type client struct {
	Workload
	app     App
	db      *gorm.DB
	id      int
	began   time.Time
	history History
	failed  error
}

func (c *client) now() int64 { return int64(time.Since(c.began)) }

// make makes a call, unless one has failed.
func (c *client) make(call call) {
	if c.failed != nil {
		return
	}
	if call.Kind == Replace && c.app.Replace == nil {
		call.Kind, call.Targets = Append, max(1, call.Targets)
	}
	ctx := context.Background()
	if call.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, call.deadline)
		defer cancel()
	}
	n := note{call: call, client: c.id, apart: c.Serializable, whole: slices.Contains(c.Whole, call.Kind)}
	n.from = c.now()
	err := c.try(context.WithValue(ctx, stampKey{}, &n.between), func(db *gorm.DB) (err error) {
		switch call.Kind {
		case Append:
			n.told, err = c.app.Append(db, call.Pairs)
		case Replace:
			n.told, err = c.app.Replace(db, call.Pairs)
		case Delete:
			err = deletes(db, call.Pairs)
		case Count:
			n.rows, err = count(db, call.Owner)
		case Find:
			n.found, err = find(db, call.Owner)
		}
		return err
	})
	n.to = c.now()
	switch {
	case err == nil:
		c.history.Made++
		n.made(&c.history)
	case late(ctx):
		c.history.Unknown++
		n.unknown(&c.history)
	case lost(err):
		if n.appended() {
			call.Kind = Delete // the half of a Replace that lost
		}
		c.history.Lost[call.Kind]++
		n.lost(&c.history)
	default:
		c.failed = fmt.Errorf("client %d: %s: %w", c.id, n.text(), err)
	}
}

// try makes a call once, or in a transaction until that does not lose.
func (c *client) try(ctx context.Context, call func(db *gorm.DB) error) (err error) {
	db := c.db.WithContext(ctx)
	if !c.Serializable {
		return call(db)
	}
	for range 100 {
		err = db.Transaction(call, &sql.TxOptions{Isolation: sql.LevelSerializable})
		if !lost(err) || late(ctx) {
			return err
		}
		time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond)
	}
	return err
}

func count(db *gorm.DB, owner uint) (int, error) {
	association := db.Model(&Owner{ID: owner}).Association("Targets")
	n := association.Count()
	return int(n), association.Error
}

func find(db *gorm.DB, owner uint) (ids []uint, err error) {
	var targets []Target
	err = db.Model(&Owner{ID: owner}).Association("Targets").Find(&targets)
	for _, target := range targets {
		ids = append(ids, target.ID)
	}
	slices.Sort(ids)
	return ids, err
}

// late says that a context's deadline is over. The context itself may say so later than
// a connection that knows it.
func late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// lost says that a transaction lost against another one: it has written nothing.
func lost(err error) bool {
	var postgres interface{ SQLState() string }
	if errors.As(err, &postgres) {
		return postgres.SQLState() == "40001" || postgres.SQLState() == "40P01"
	}
	var maria *mysql.MySQLError
	if errors.As(err, &maria) {
		return maria.Number == 1213 || maria.Number == 1205 // a deadlock, a lock waited for too long
	}
	return errors.Is(err, m2msafe.ErrRetry)
}

// stampKey is where a context keeps the time at which GORM begins a DELETE.
type stampKey struct{}

// stamp has the client's deletes note when they begin.
func (c *client) stamp() error {
	return c.db.Callback().Delete().Before("gorm:begin_transaction").Register("linear:stamp", func(db *gorm.DB) {
		if at, ok := db.Statement.Context.Value(stampKey{}).(*int64); ok {
			*at = c.now()
		}
	})
}
