package audit_test

import (
	"testing"

	"github.com/m2msafe/m2msafe/internal/audittest"
)

func TestDefects(t *testing.T) { audittest.Defects(t, "postgres", database) }
