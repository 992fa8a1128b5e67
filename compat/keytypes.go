package compat

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// The types that keys have. Each model is related to itself, through a table
// node_peers with columns node_key and peer_key.
type (
	textNode struct {
		Key   string     `gorm:"primaryKey"`
		Peers []textNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	bytesNode struct {
		Key   []byte       `gorm:"primaryKey;size:100"`
		Peers []*bytesNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	uuidNode struct {
		Key   uuid       `gorm:"primaryKey"`
		Peers []uuidNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	textUUIDNode struct {
		Key   string         `gorm:"primaryKey;type:uuid"`
		Peers []textUUIDNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	timeNode struct {
		Key   time.Time  `gorm:"primaryKey;precision:6"`
		Peers []timeNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	dateNode struct {
		Key   time.Time  `gorm:"primaryKey;type:date"`
		Peers []dateNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	charNode struct {
		Key   string     `gorm:"primaryKey;type:char(8)"`
		Peers []charNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	priceNode struct {
		Key   float64     `gorm:"primaryKey;type:numeric(10,2)"`
		Peers []priceNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	intNode struct {
		Key   int64     `gorm:"primaryKey"`
		Peers []intNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	levelNode struct {
		Key   level       `gorm:"primaryKey"`
		Peers []levelNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	moodNode struct {
		Key   mood       `gorm:"primaryKey"`
		Peers []moodNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
	isbnNode struct {
		Key   isbn        `gorm:"primaryKey"`
		Peers []*isbnNode `gorm:"many2many:node_peers;joinForeignKey:NodeKey;joinReferences:PeerKey"`
	}
)

// level is an enum of numbers; its text is not what the column holds.
type level int

func (l level) String() string { return fmt.Sprint("level ", int(l)) }

// mood is an enum of the database, on PostgreSQL.
type mood string

func (mood) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	switch db.Name() {
	case "postgres":
		return "mood"
	case "mysql":
		return `enum('happy', 'so so', '"sad", {not}')`
	}
	return "text"
}

// isbn is one column in the database, and two fields in Go.
type isbn struct{ prefix, number string }

func (isbn) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return map[bool]string{true: "varchar(40)", false: "text"}[db.Name() == "mysql"]
}
func (i isbn) Value() (driver.Value, error) { return i.prefix + "-" + i.number, nil }
func (i *isbn) Scan(src any) error {
	i.prefix, i.number, _ = strings.Cut(fmt.Sprintf("%s", src), "-")
	return nil
}

// uuid is an array, a Valuer and a Scanner, as the well-known packages have it.
type uuid [16]byte

func (uuid) GormDataType() string { return "uuid" }
func (uuid) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	if db.Name() == "mysql" && !mariaDB(db) {
		return "char(36)"
	}
	return "uuid"
}
func (u uuid) Value() (driver.Value, error) { return u.String(), nil }
func (u *uuid) Scan(src any) error {
	b, err := hex.DecodeString(strings.ReplaceAll(fmt.Sprintf("%s", src), "-", ""))
	copy(u[:], b)
	return err
}
func (u uuid) String() string {
	x := hex.EncodeToString(u[:])
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}
