package audit_test

import (
	"testing"

	"github.com/m2msafe/m2msafe/internal/audittest"
)

func TestDefects(t *testing.T) { audittest.Defects(t, "postgres", database) }

func TestSound(t *testing.T) { audittest.Sound(t, "postgres", database) }

func TestNames(t *testing.T) { audittest.Names(t, "postgres", database) }

func TestLarge(t *testing.T) { audittest.Large(t, "postgres", database, "ANALYZE user_groups") }

func TestCareful(t *testing.T) { audittest.Careful(t, "postgres", database) }

func TestHanging(t *testing.T) { audittest.Hanging(t, "postgres", database) }
