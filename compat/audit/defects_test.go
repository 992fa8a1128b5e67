package audit_test

import (
	"testing"

	"github.com/m2msafe/m2msafe/internal/audittest"
)

func TestDefectsMariaDB(t *testing.T) { audittest.Defects(t, "mysql", openMariaDB) }

func TestDefectsSQLite(t *testing.T) { audittest.Defects(t, "sqlite", openSQLite) }

func TestSoundMariaDB(t *testing.T) { audittest.Sound(t, "mysql", openMariaDB) }

func TestSoundSQLite(t *testing.T) { audittest.Sound(t, "sqlite", openSQLite) }

func TestNamesMariaDB(t *testing.T) { audittest.Names(t, "mysql", openMariaDB) }

func TestNamesSQLite(t *testing.T) { audittest.Names(t, "sqlite", openSQLite) }

func TestLargeMariaDB(t *testing.T) {
	audittest.Large(t, "mysql", openMariaDB, "ANALYZE TABLE user_groups")
}

func TestLargeSQLite(t *testing.T) { audittest.Large(t, "sqlite", openSQLite, "ANALYZE") }

func TestCarefulMariaDB(t *testing.T) { audittest.Careful(t, "mysql", openMariaDB) }

func TestCarefulSQLite(t *testing.T) { audittest.Careful(t, "sqlite", openSQLite) }

func TestHangingMariaDB(t *testing.T) { audittest.Hanging(t, "mysql", openMariaDB) }

func TestHangingSQLite(t *testing.T) { audittest.Hanging(t, "sqlite", openSQLite) }
