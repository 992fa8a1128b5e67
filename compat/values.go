package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
)

// hiddenValues are about what becomes of the values of rows: they travel as parameters, and
// under ParameterizedQueries they are in no log and in no error.
var hiddenValues = []behaviour{
	{"no value of a row is in the text of a statement", valuesBound},
	{"under ParameterizedQueries no value is in a log or an error", valuesHidden},
	{"a logger that masks parameters masks the keys in errors", valuesMasked},
}

// watcher is a logger that sees the statements as GORM gives them to it, text and
// parameters apart.
type watcher struct {
	logger.Interface
	hide func(params []any) []any

	mu     sync.Mutex
	texts  []string
	params []any
}

func (w *watcher) LogMode(logger.LogLevel) logger.Interface { return w }

func (w *watcher) ParamsFilter(_ context.Context, text string, params ...any) (string, []any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts, w.params = append(w.texts, text), append(w.params, params...)
	return text, w.hide(params)
}

func isMarked(param any) bool {
	if text, ok := param.(*string); ok && text != nil {
		param = *text
	}
	return strings.Contains(fmt.Sprintf("%s", param), mark)
}

func valuesBound(t *testing.T, e Engine) {
	w := &watcher{Interface: logger.New(new(logbook), logger.Config{LogLevel: logger.Info}), hide: func(params []any) []any { return params }}
	db := e.With(t, &gorm.Config{Logger: w})
	vaults(t, db)
	for _, c := range markings(e) {
		w.texts, w.params = nil, nil
		err := c.call(t.Context(), db)
		require.ErrorIs(t, err, c.want, c.name)
		require.True(t, c.want == m2msafe.ErrOption || slices.ContainsFunc(w.params, isMarked), "%s: the mark is in none of %v", c.name, w.params)
		for _, text := range w.texts {
			require.NotContains(t, text, mark, c.name)
		}
	}
}

func valuesHidden(t *testing.T, e Engine) {
	for _, hidden := range []bool{true, false} {
		log := new(logbook)
		db := e.At(t, fmt.Sprint(hidden), &gorm.Config{Logger: logger.New(log, logger.Config{LogLevel: logger.Info, ParameterizedQueries: hidden})})
		vaults(t, db)
		for _, c := range markings(e) {
			log.lines = nil
			err := c.call(t.Context(), db)
			require.ErrorIs(t, err, c.want, c.name)
			said := fmt.Sprint(err)
			switch {
			case c.tells && db.Name() == "mysql":
			case hidden:
				require.NotContains(t, said, mark, c.name)
				require.Empty(t, log.having(mark), c.name)
			default:
				require.Equal(t, c.shows, strings.Contains(said, mark), "%s: %s", c.name, said)
				require.True(t, c.want == m2msafe.ErrOption || len(log.having(mark)) > 0, "%s: the mark is in none of %q", c.name, log.lines)
			}
			var failed *m2msafe.LinkError
			if errors.As(err, &failed) && failed.Owner != nil {
				require.Contains(t, failed.Owner[0], mark, "%s: the program sees it", c.name)
			}
		}
	}
}

func valuesMasked(t *testing.T, e Engine) {
	w := &watcher{Interface: logger.Discard, hide: func(params []any) []any {
		masked := make([]any, len(params))
		for i, p := range params {
			masked[i] = strings.ReplaceAll(fmt.Sprint(p), mark, "*")
		}
		return masked
	}}
	db := e.With(t, &gorm.Config{Logger: w})
	vaults(t, db)
	err := appendTo(90, secrets(1))(t.Context(), db)
	require.ErrorIs(t, err, m2msafe.ErrOwnerNotStored)
	require.ErrorContains(t, err, `; owner "*'\"\\;--vault90"`)
}
