package compat

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	{"the text of a statement is the same for other values", valuesAlike},
	{"under ParameterizedQueries no value is in a log or an error", valuesHidden},
	{"hostile texts are values in every call", valuesHostile},
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
		c.meets(t, err)
		require.True(t, c.early || slices.ContainsFunc(w.params, isMarked), "%s: the mark is in none of %v", c.name, w.params)
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
			c.meets(t, err)
			said := fmt.Sprint(err)
			switch {
			case c.tells && db.Name() == "mysql":
			case hidden:
				require.NotContains(t, said, mark, c.name)
				require.Empty(t, log.having(mark), c.name)
			default:
				require.Equal(t, c.shows, strings.Contains(said, mark), "%s: %s", c.name, said)
				require.True(t, c.early || len(log.having(mark)) > 0, "%s: the mark is in none of %q", c.name, log.lines)
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

// Keys and names are the same texts. Stock GORM has no calls by names or keys alone.
func valuesHostile(t *testing.T, e Engine) {
	db := e.DB(t)
	require.NoError(t, db.SetupJoinTable(&Vault{}, "Secrets", &VaultSecret{}))
	require.NoError(t, db.AutoMigrate(&Vault{}, &Secret{}, &Plate{}))
	text := func(i int) string { return hostile[i%len(hostile)] }
	for i, owner := range hostile {
		require.NoError(t, db.Create(&Vault{Code: owner, Title: owner}).Error)
		require.NoError(t, db.Create(&Secret{Code: owner, Name: &owner, Note: text(i + 1)}).Error)
	}
	for i, owner := range hostile {
		target := db.Model(&Vault{Code: owner}).Association("Secrets")
		by := text(i + 1)
		named := Secret{Name: &by}
		require.NoError(t, target.Append(&Secret{Code: owner}, &named), "%q", owner)
		require.Equal(t, by, named.Code)
		if generics { // before, GORM refuses maps
			require.NoError(t, db.Model(&Vault{Code: owner}).Association("Secrets").Append(map[string]any{"name": text(i + 2)}))
		}
		found, err := m2msafe.LinkKeys(t.Context(), db, &Vault{}, "Secrets", owner, by, text(i+2))
		require.NoError(t, err)
		require.Equal(t, m2msafe.Existing, found[0].Outcome)
		done, err := m2msafe.LinkPairs(t.Context(), db, &Vault{}, "Secrets", maps.All(map[string]string{owner: text(i + 3)}), m2msafe.Through(map[string]any{"note": by}))
		require.NoError(t, err)
		require.Equal(t, m2msafe.Progress{Pairs: 1, Created: 1}, done)
		for _, created := range []bool{true, false} {
			row := VaultSecret{VaultCode: owner, SecretCode: text(i + 4), Note: owner}
			is, err := m2msafe.GetOrCreate(t.Context(), db, &row)
			require.NoError(t, err)
			require.Equal(t, created, is)
			require.Equal(t, owner, row.Note)
		}

		var linked []VaultSecret
		require.NoError(t, db.Where("vault_code = ?", owner).Find(&linked).Error)
		notes := map[string]string{}
		for _, row := range linked {
			notes[row.SecretCode] = row.Note
		}
		require.Equal(t, map[string]string{owner: "", by: "", text(i + 2): "", text(i + 3): by, text(i + 4): owner}, notes, "%q", owner)
	}
	require.Equal(t, fmt.Sprint(len(hostile)), one(t, db, `SELECT COUNT(*) FROM secrets`))
}
