package audit_test

import (
	"testing"

	"github.com/m2msafe/m2msafe/internal/audittest"
)

func TestDefectsMariaDB(t *testing.T) { audittest.Defects(t, "mysql", openMariaDB) }

func TestDefectsSQLite(t *testing.T) { audittest.Defects(t, "sqlite", openSQLite) }
