package compat

import (
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// kind is what a column of a key holds.
type kind int

const (
	number kind = iota
	word
	identifier
	raws
	moment
	serial // counted by the database
)

// pool are values of each kind.
var pool = map[kind][]any{
	number:     {int64(1), int64(-7), int64(1 << 40), int64(42), int64(3)},
	word:       {`it's "x"`, `a,{"\`, `NULL`, `$1 ? @x --`, " lead"},
	identifier: {uuid{1}, uuid{15: 1}, uuid{0xde, 0xad}, uuid{255, 255}, uuid{8: 7}},
	raws:       {[]byte{0}, []byte{0, 255, '\\'}, []byte("NULL"), []byte(`{"},`), []byte(" ")},
	moment: {
		time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC), time.Date(2024, 2, 29, 12, 30, 15, 1000, time.UTC),
		time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC),
	},
}

// rowsOfASide is how many rows the pool has keys for.
const rowsOfASide = 5

// keyOf is the key of a row. In a key of several columns no column alone tells rows
// apart, but for the last two together.
func keyOf(kinds []kind, n int) []any {
	key := make([]any, len(kinds))
	for i, k := range kinds {
		at := n
		if i < len(kinds)-1 {
			at = n / 2
		}
		key[i] = pool[k][at%len(pool[k])]
	}
	return key
}

// The families: pairs of models that are linked through shape_links, each from both
// sides, with keys of up to three columns. Num tells the test which row is which.
type (
	CountedLeft struct {
		A      int64 `gorm:"primaryKey"`
		Num    int
		Rights []*CountedRight `gorm:"many2many:shape_links;joinForeignKey:La;joinReferences:Ra"`
	}
	CountedRight struct {
		A     int64 `gorm:"primaryKey"`
		Num   int
		Lefts []CountedLeft `gorm:"many2many:shape_links;joinForeignKey:Ra;joinReferences:La"`
	}
	WordLeft struct {
		A      string `gorm:"primaryKey"`
		Num    int
		Rights []NumberRight `gorm:"many2many:shape_links;joinForeignKey:La;joinReferences:Ra"`
	}
	NumberRight struct {
		A     int64 `gorm:"primaryKey;autoIncrement:false"`
		Num   int
		Lefts []*WordLeft `gorm:"many2many:shape_links;joinForeignKey:Ra;joinReferences:La"`
	}
	UUIDLeft struct {
		A      uuid `gorm:"primaryKey"`
		Num    int
		Rights []*BytesRight `gorm:"many2many:shape_links;joinForeignKey:La;joinReferences:Ra"`
	}
	BytesRight struct {
		A     []byte `gorm:"primaryKey"`
		Num   int
		Lefts []*UUIDLeft `gorm:"many2many:shape_links;joinForeignKey:Ra;joinReferences:La"`
	}
	TenantLeft struct {
		A      int64  `gorm:"primaryKey;autoIncrement:false"`
		B      string `gorm:"primaryKey"`
		Num    int
		Rights []TimeRight `gorm:"many2many:shape_links;joinForeignKey:La,Lb;joinReferences:Ra"`
	}
	TimeRight struct {
		A     time.Time `gorm:"primaryKey;precision:6"`
		Num   int
		Lefts []TenantLeft `gorm:"many2many:shape_links;joinForeignKey:Ra;joinReferences:La,Lb"`
	}
	TripleLeft struct {
		A      string    `gorm:"primaryKey"`
		B      time.Time `gorm:"primaryKey;precision:6"`
		C      int64     `gorm:"primaryKey;autoIncrement:false"`
		Num    int
		Rights []*PairRight `gorm:"many2many:shape_links;joinForeignKey:La,Lb,Lc;joinReferences:Ra,Rb"`
	}
	PairRight struct {
		A     int64 `gorm:"primaryKey;autoIncrement:false"`
		B     int64 `gorm:"primaryKey;autoIncrement:false"`
		Num   int
		Lefts []TripleLeft `gorm:"many2many:shape_links;joinForeignKey:Ra,Rb;joinReferences:La,Lb,Lc"`
	}
	BytesLeft struct {
		A      []byte `gorm:"primaryKey"`
		Num    int
		Rights []WideRight `gorm:"many2many:shape_links;joinForeignKey:La;joinReferences:Ra,Rb,Rc"`
	}
	WideRight struct {
		A     uuid   `gorm:"primaryKey"`
		B     []byte `gorm:"primaryKey"`
		C     string `gorm:"primaryKey"`
		Num   int
		Lefts []*BytesLeft `gorm:"many2many:shape_links;joinForeignKey:Ra,Rb,Rc;joinReferences:La"`
	}
)

// side is one end of a family.
type side struct {
	model    reflect.Type
	relation string // its field
	kinds    []kind
}

func (s side) counts() bool { return s.kinds[0] == serial }

var families = map[string][2]side{
	"counted–counted":           {{reflect.TypeFor[CountedLeft](), "Rights", []kind{serial}}, {reflect.TypeFor[CountedRight](), "Lefts", []kind{serial}}},
	"text–number":               {{reflect.TypeFor[WordLeft](), "Rights", []kind{word}}, {reflect.TypeFor[NumberRight](), "Lefts", []kind{number}}},
	"uuid–bytes":                {{reflect.TypeFor[UUIDLeft](), "Rights", []kind{identifier}}, {reflect.TypeFor[BytesRight](), "Lefts", []kind{raws}}},
	"(number, text)–time":       {{reflect.TypeFor[TenantLeft](), "Rights", []kind{number, word}}, {reflect.TypeFor[TimeRight](), "Lefts", []kind{moment}}},
	"(text, time, number)–pair": {{reflect.TypeFor[TripleLeft](), "Rights", []kind{word, moment, number}}, {reflect.TypeFor[PairRight](), "Lefts", []kind{number, number}}},
	"bytes–(uuid, bytes, text)": {{reflect.TypeFor[BytesLeft](), "Rights", []kind{raws}}, {reflect.TypeFor[WideRight](), "Lefts", []kind{identifier, raws, word}}},
}

// shapeNamer calls the ends' tables by their side, and a join model that is made at run
// time by its own.
type shapeNamer struct{ schema.NamingStrategy }

func (shapeNamer) TableName(model string) string {
	switch {
	case strings.HasSuffix(model, "Left"):
		return "shape_lefts"
	case strings.HasSuffix(model, "Right"):
		return "shape_rights"
	}
	return "shape_links"
}

// columns are what one end's key is called in the join table, and its fields there.
func (s side) columns(end int) (columns, fields []string) {
	for i := range s.kinds {
		columns = append(columns, [2]string{"l", "r"}[end]+string("abc"[i]))
		fields = append(fields, [2]string{"L", "R"}[end]+string("abc"[i]))
	}
	return columns, fields
}

// sqlType is the type of a key's column.
func (k kind) sqlType(db *gorm.DB, key bool) string {
	of := map[string]map[kind]string{
		"postgres": {number: "bigint", serial: "bigint", word: "text", identifier: "uuid", raws: "bytea", moment: "timestamptz"},
		"mysql":    {number: "bigint", serial: "bigint", word: "varchar(60)", identifier: "char(36)", raws: "varbinary(60)", moment: "datetime(6)"},
		"sqlite":   {number: "integer", serial: "integer", word: "text", identifier: "text", raws: "blob", moment: "datetime"},
	}[db.Name()][k]
	if k == serial && key {
		of = map[string]string{"postgres": "bigserial", "mysql": "bigint AUTO_INCREMENT", "sqlite": "integer"}[db.Name()]
	}
	return of
}
