package compat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe"
)

var columnTypes = []behaviour{
	{"extra columns of all types", columnsOf(func(p Parcel) any { return &p })},
	{"extra columns of all types, with hooks", columnsOf(func(p Parcel) any { return &hookedParcel{Parcel: p} })},
}

// Parcel is a join model with columns of the types that have a text of their
// own in the database.
type Parcel struct {
	ArticleID     uint `gorm:"primaryKey"`
	PublicationID uint `gorm:"primaryKey"`
	Tags          list
	Payload       document
	Blob          []byte
	Empty         []byte
	Flag          bool
	Price         float64 `gorm:"type:numeric(10,2)"`
	Weight        float64
	Due           *time.Time
	Code          string `gorm:"type:char(4)"`
	Trace         uuid
	Mood          mood
	Counts        map[string]int `gorm:"serializer:json"`
}

// TableName puts it where the relation looks.
func (Parcel) TableName(n schema.Namer) string { return pairTable(n) }

// hookedParcel has a hook that gives each row a list of its own.
type hookedParcel struct{ Parcel }

func (p *hookedParcel) BeforeCreate(*gorm.DB) error {
	p.Tags = list(fmt.Sprintf(`{"row %d",NULL}`, p.PublicationID))
	if p.PublicationID == 3 {
		p.Due = nil
	}
	return nil
}

// columnsOf gives values to a call's rows and reads them back. Stock GORM has no
// Through; the hook's part it passes.
func columnsOf(model func(Parcel) any) func(*testing.T, Engine) {
	return func(t *testing.T, e Engine) {
		db := e.DB(t)
		if e.postgres() {
			exec(t, db, `CREATE TYPE mood AS ENUM ('happy', 'so so')`)
		}
		require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", model(Parcel{})))
		require.NoError(t, db.SetupJoinTable(&Publication{}, "Articles", model(Parcel{})))
		seed(t, db)

		due := time.Date(2024, 2, 29, 23, 30, 15, 123456000, time.FixedZone("", 5*3600))
		given := Parcel{
			Tags: `{"a b","\"c\",{d}",e}`, Payload: `{"a": [1, "x\"y"]}`, Blob: []byte{0, 255, '\\'}, Empty: []byte{}, Flag: true, Price: 12.25,
			Weight: 1.1e-7, Due: &due, Code: "ab", Trace: uuid{1, 2}, Mood: "so so", Counts: map[string]int{"x": 1},
		}
		for range 2 {
			require.NoError(t, link(m2msafe.With(db, m2msafe.Through(model(given))), 1, 3, 1, 2))
		}
		require.Equal(t, []string{"1|1", "1|2", "1|3"}, linked(t, db))
		_, hooked := model(given).(*hookedParcel)
		var found []Parcel
		require.NoError(t, db.Order("publication_id").Find(&found).Error)
		for i, got := range found {
			want := given
			want.ArticleID, want.PublicationID = 1, uint(i+1)
			if hooked {
				want.Tags = list(fmt.Sprintf(`{"row %d",NULL}`, i+1))
			}
			if hooked && i == 2 {
				want.Due = nil
			} else {
				require.True(t, due.Equal(*got.Due))
				got.Due = want.Due
			}
			if strings.HasPrefix(e.Name, "sqlite-glebarez") {
				got.Empty = append([]byte{}, got.Empty...) // the driver reads an empty blob as nil
			}
			got.Code = strings.TrimSpace(got.Code) // char(4) pads
			require.Equal(t, want, got)
		}
	}
}

// list is text[] on PostgreSQL, in its text form.
type list string

func (list) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return map[bool]string{true: "text[]", false: "text"}[db.Name() == "postgres"]
}

// document is jsonb on PostgreSQL.
type document string

func (document) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return map[bool]string{true: "jsonb", false: "text"}[db.Name() == "postgres"]
}
