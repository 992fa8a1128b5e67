package m2msafe_test

import (
	"context"
	"database/sql"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// What docs/semantics.md shows beyond the examples; here it is compiled.
func _(ctx context.Context, db *gorm.DB, members iter.Seq2[uint, uint]) (m2msafe.Progress, error) {
	total, err := m2msafe.LinkPairs(ctx, db, &User{}, "Groups", members, m2msafe.ChunkSize(10_000))
	return total, err
}

func _(ctx context.Context, db *gorm.DB, group Group) error {
	err := m2msafe.Transaction(ctx, db, func(tx *gorm.DB) error {
		var user User
		if err := tx.First(&user, 1).Error; err != nil {
			return err
		}
		return tx.Model(&user).Association("Groups").Append(&group)
	}, m2msafe.Retries(20), m2msafe.TxOptions(sql.TxOptions{Isolation: sql.LevelSerializable}))
	return err
}

func _(db *gorm.DB, user User, group Group) error {
	return m2msafe.With(db, m2msafe.Through(map[string]any{"role": "admin"})).
		Model(&user).Association("Groups").Append(&group)
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

func TestEverySnippetOfTheDocumentsIsCompiled(t *testing.T) {
	tests, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var compiled strings.Builder
	for _, file := range tests {
		compiled.WriteString(withoutSpace(t, file))
	}
	documents, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	snippets := 0
	for _, document := range append(documents, "README.md") {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, block := range goBlock.FindAllStringSubmatch(string(text), -1) {
			snippets++
			for _, part := range strings.Split(block[1], "\n\n") {
				require.True(t, strings.Contains(compiled.String(), strings.Join(strings.Fields(part), "")),
					"%s shows what no test file has:\n%s", document, part)
			}
		}
	}
	require.Greater(t, snippets, 5, "where have the snippets gone?")
}

func withoutSpace(t *testing.T, file string) string {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.Join(strings.Fields(string(text)), "")
}
