package m2msafe

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"
)

// abandoned ends a transaction that a refused COMMIT has left open. SQLite leaves it open
// (behind BUSY, or a deferred foreign key), database/sql takes it for ended, and glebarez'
// driver, unlike the other two, does not roll it back: the next that gets the connection
// can't begin one, and its locks keep all others from writing. In connections that are
// idle there is nothing else to roll back.
func abandoned(db *gorm.DB) {
	if db.Name() != "sqlite" {
		return
	}
	pool, err := db.DB()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(db.Statement.Context), 50*time.Millisecond)
	defer cancel()
	var held []*sql.Conn
	defer func() {
		for _, conn := range held {
			_ = conn.Close()
		}
	}()
	for range pool.Stats().Idle {
		if pool.Stats().Idle == 0 { // waiting for one, with others in hand, would hold all up
			return
		}
		conn, err := pool.Conn(ctx)
		if err != nil {
			return
		}
		held = append(held, conn)
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err == nil {
			return
		}
	}
}
