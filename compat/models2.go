package compat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

// Playlist is an owner with everything around it: a belongs-to, hooks of its
// own, a key that counts itself up, and two relations with the same model.
type Playlist struct {
	ID        uint
	Title     string
	UpdatedAt time.Time
	CuratorID *uint
	Curator   *Artist
	Tracks    []*Track `gorm:"many2many:playlist_tracks"`
	Hidden    []*Track `gorm:"many2many:playlist_hidden"`
	Labels    []Label  `gorm:"many2many:playlist_labels;joinReferences:LabelCode;references:Code"`
}

// Track is a target that has associations of its own, and the way back.
type Track struct {
	ID        uint
	Title     string
	Plays     int
	StudioID  *uint
	Studio    *Studio
	Notes     []Note
	Guests    []*Artist   `gorm:"many2many:track_guests"`
	Playlists []*Playlist `gorm:"many2many:playlist_tracks"`
}

// Artist stands on both ends: a playlist's belongs-to, a track's many-to-many.
type Artist struct {
	ID   uint
	Name string
}

// Studio is a target's belongs-to.
type Studio struct {
	ID   uint
	Name string
}

// Note is a target's has-many.
type Note struct {
	ID      uint
	TrackID uint
	Text    string
}

// Label is referred to by its code, which is not its primary key.
type Label struct {
	ID   uint
	Code string `gorm:"uniqueIndex;size:20"`
}

// Badge is a target whose hook makes its key, and that is deleted softly.
type Badge struct {
	ID        string `gorm:"size:40"`
	Name      string
	DeletedAt gorm.DeletedAt
	Holders   []*Holder `gorm:"many2many:holder_badges"`
}

// Holder is the owner of badges.
type Holder struct {
	ID     uint
	Badges []Badge `gorm:"many2many:holder_badges"`
}

// BeforeCreate makes the key out of the name.
func (b *Badge) BeforeCreate(*gorm.DB) error {
	if b.ID == "" {
		b.ID = "badge-" + b.Name
	}
	return nil
}

// Mark is a join row of articles and publications that is deleted softly.
type Mark struct {
	ArticleID     uint `gorm:"primaryKey"`
	PublicationID uint `gorm:"primaryKey"`
	DeletedAt     gorm.DeletedAt
}

// TableName is the join table's.
func (Mark) TableName(n schema.Namer) string { return pairTable(n) }

// Ride is a join row of articles and publications with an id of its own and,
// where the test says so, nothing unique about the pair.
type Ride struct {
	ID            uint
	ArticleID     uint
	PublicationID uint
}

// TableName is the join table's.
func (Ride) TableName(n schema.Namer) string { return pairTable(n) }

// BeforeCreate, AfterCreate, BeforeUpdate and AfterUpdate tell the hooklog of
// the call, and what Omits of the statement they see.
func (p *Playlist) BeforeCreate(tx *gorm.DB) error { return toldOmits(tx, "owner BeforeCreate") }
func (p *Playlist) AfterCreate(tx *gorm.DB) error  { return toldOmits(tx, "owner AfterCreate") }
func (p *Playlist) BeforeUpdate(tx *gorm.DB) error { return toldOmits(tx, "owner BeforeUpdate") }
func (p *Playlist) AfterUpdate(tx *gorm.DB) error  { return toldOmits(tx, "owner AfterUpdate") }

// BeforeCreate and AfterCreate tell the hooklog of the call.
func (t *Track) BeforeCreate(tx *gorm.DB) error { return told(tx, "track BeforeCreate") }
func (t *Track) AfterCreate(tx *gorm.DB) error  { return told(tx, "track AfterCreate") }

// toldOmits tells of a hook and of the Omits that it sees, as in
// "owner AfterCreate [Hidden]".
func toldOmits(tx *gorm.DB, hook string) error {
	return told(tx, hook+" ["+strings.Join(tx.Statement.Omits, " ")+"]")
}

// music is db with the tables of all these, and what refill stores.
func music(t testing.TB, db *gorm.DB) *gorm.DB {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Artist{}, &Studio{}, &Label{}, &Track{}, &Note{}, &Playlist{}))
	refill(t, db)
	return db
}

// refill empties the tables and stores playlists 1 to 3, tracks 1 to 4, artists
// 1 and 2, labels a and b.
func refill(t testing.TB, db *gorm.DB) {
	t.Helper()
	var script strings.Builder
	for _, table := range []string{"playlist_tracks", "playlist_hidden", "playlist_labels", "track_guests", "notes", "playlists", "tracks", "studios", "artists", "labels"} {
		fmt.Fprintf(&script, "DELETE FROM %s;\n", table)
		if db.Name() == "postgres" && !strings.Contains(table, "_") {
			fmt.Fprintf(&script, "SELECT setval('%s_id_seq', 1, false);\n", tableOf(db, table))
		}
	}
	if db.Name() == "mysql" {
		for _, table := range []string{"playlists", "tracks", "studios", "artists", "labels", "notes"} {
			fmt.Fprintf(&script, "ALTER TABLE %s AUTO_INCREMENT = 1;\n", table)
		}
	}
	if db.Name() == "sqlite" {
		script.WriteString("DELETE FROM sqlite_sequence;\n")
	}
	script.WriteString(strings.ReplaceAll(`
		INSERT INTO playlists (title, updated_at) VALUES ('one', 'past'), ('two', 'past'), ('three', 'past');
		INSERT INTO tracks (title, plays) VALUES ('t1', 1), ('t2', 2), ('t3', 3), ('t4', 4);
		INSERT INTO artists (name) VALUES ('x'), ('y');
		INSERT INTO labels (code) VALUES ('a'), ('b');`, "past", past.Format(time.DateTime)))
	pool, err := db.DB() // past GORM, which may prepare statements: these are several
	require.NoError(t, err)
	for statement := range strings.SplitSeq(strings.TrimSuffix(script.String(), ";"), ";\n") {
		_, err = pool.Exec(native(db, statement))
		require.NoError(t, err)
	}
}

// tracksOf is what a join table of playlists and tracks holds, as
// "playlist|track".
func tracksOf(t testing.TB, db *gorm.DB, table string) []string {
	t.Helper()
	return rows(t, db, `SELECT playlist_id, track_id FROM `+table+` ORDER BY 1, 2`)
}

// trackRefs are targets that have a key, and other columns than the stored rows.
func trackRefs(ids ...uint) []*Track {
	refs := make([]*Track, len(ids))
	for i, id := range ids {
		refs[i] = &Track{ID: id, Title: "only in memory"}
	}
	return refs
}

// tally is the number of rows of a table.
func tally(t testing.TB, db *gorm.DB, table string) string {
	t.Helper()
	return one(t, db, `SELECT COUNT(*) FROM `+table)
}

// usable checks that a transaction still works, whatever happened in it.
func usable(t testing.TB, tx *gorm.DB) {
	t.Helper()
	require.Equal(t, "3", one(t, tx, `SELECT 1 + 2`), "the caller's transaction is aborted")
}

// heard returns the hooks that the log has heard of, sorted.
func (h *hooklog) heard() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.calls))
}

// modes are GORM configurations that every call has to work under. GORM keeps
// the Config that it is given, so each use makes its own.
var modes = map[string]gorm.Config{
	"default":                  {},
	"SkipDefaultTransaction":   {SkipDefaultTransaction: true},
	"PrepareStmt":              {PrepareStmt: true},
	"TranslateError":           {TranslateError: true},
	"CreateBatchSize":          {CreateBatchSize: 1},
	"DisableNestedTransaction": {DisableNestedTransaction: true},
	"QueryFields":              {QueryFields: true},
}

// mode is the configuration of a name, without a logger's noise.
func mode(name string) *gorm.Config {
	config := modes[name]
	config.Logger = logger.Discard
	return &config
}

// Reader and Book have no times that move: writers meet in the join table, and
// nowhere before it.
type Reader struct {
	ID    uint
	Books []*Book `gorm:"many2many:reader_books"`
}

// Book is what a Reader reads.
type Book struct {
	ID      uint
	Title   string
	Readers []*Reader `gorm:"many2many:reader_books"`
}

// library stores readers and books, as many as are asked for.
func library(t testing.TB, db *gorm.DB, readers, books int) *gorm.DB {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&Reader{}, &Book{}))
	fill(t, db, "readers (id)", "", readers)
	fill(t, db, "books (id, title)", ", 'stored'", books)
	return db
}

// fill stores n rows with ids from 1.
func fill(t testing.TB, db *gorm.DB, into, rest string, n int) {
	t.Helper()
	exec(t, db, `INSERT INTO `+into+` WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ?) SELECT id`+rest+` FROM ids`, n)
}
