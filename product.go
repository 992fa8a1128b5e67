package m2msafe

import (
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/m2msafe/m2msafe/internal/catalog"
	"github.com/m2msafe/m2msafe/internal/dialect"
)

// product is the database that really is behind one of GORM's dialects.
type product struct {
	dialect.Dialect
	galera   bool
	describe func(query catalog.Query, s *schema.Schema, quoted string) (*catalog.Table, error)
}

// productOf asks the database for what it is, once a dialector.
func (p *plans) productOf(db *gorm.DB) (*product, error) {
	key := any(db.Dialector.Name())
	if t := reflect.TypeOf(db.Dialector); t.Kind() == reflect.Pointer {
		key = db.Dialector
	}
	if known, ok := p.products.Load(key); ok {
		return known.(*product), nil
	}
	query := querier(db)
	version, err := catalog.Version(query, db.Dialector.Name())
	if err != nil {
		return nil, err
	}
	made := productNamed(db.Dialector.Name(), version)
	if strings.Contains(version, "MariaDB") {
		if made.galera, err = catalog.Galera(query); err != nil {
			return nil, err
		}
	}
	p.products.Store(key, made)
	return made, nil
}

// productNamed is the product that has a name in GORM and calls itself version. Of
// databases that speak PostgreSQL's protocol the three of several machines take
// plain statements, and have no catalogue of PostgreSQL's depth:
// CockroachDB (cockroachlabs.com/docs/stable/postgresql-compatibility: no advisory
// locks, no xmin), YugabyteDB (docs.yugabyte.com, PostgreSQL compatibility: the
// same) and Citus (docs.citusdata.com, SQL support and workarounds: no row locks
// across shards).
func productNamed(name, version string) *product {
	d := dialect.Of(name)
	switch {
	case name == "postgres" && (strings.HasPrefix(version, "CockroachDB") || strings.Contains(version, "-YB-") || strings.HasSuffix(version, " Citus")):
		return &product{Dialect: dialect.PostgresPlain{}, describe: func(q catalog.Query, _ *schema.Schema, quoted string) (*catalog.Table, error) {
			return catalog.PostgresPlain(q, quoted)
		}}
	case name == "postgres":
		return &product{Dialect: d, describe: func(q catalog.Query, _ *schema.Schema, quoted string) (*catalog.Table, error) {
			return catalog.Postgres(q, quoted)
		}}
	case name == "mysql":
		return &product{Dialect: dialect.MySQL{ForUpdate: strings.Contains(version, "TiDB")}, describe: func(q catalog.Query, s *schema.Schema, quoted string) (*catalog.Table, error) {
			return catalog.MySQL(q, quoted, s.DBNames)
		}}
	case name == "sqlserver":
		return &product{Dialect: d, describe: func(q catalog.Query, _ *schema.Schema, quoted string) (*catalog.Table, error) {
			return catalog.SQLServer(q, quoted)
		}}
	default:
		return &product{Dialect: d, describe: func(q catalog.Query, s *schema.Schema, quoted string) (*catalog.Table, error) {
			return catalog.SQLite(q, quoted, s.DBNames)
		}}
	}
}

// describe reads a table from the catalogue, on the statement's own connection:
// what its transaction has made is there.
func (l *links) describe(s *schema.Schema) (*catalog.Table, error) {
	p, err := l.plans.productOf(l.db)
	if err != nil {
		return nil, err
	}
	return p.describe(querier(l.db), s, l.db.Statement.Quote(clause.Table{Name: s.Table}))
}
