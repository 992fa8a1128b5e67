package main

// engine is one that the suite runs on.
type engine struct {
	name  string
	what  string // it is, in a table
	dir   string // where its tests are, from compat
	more  string // another test of it
	flags []string
	// onDemand keeps it out of a run of all: it takes minutes to build, or has not been
	// through yet.
	onDemand bool
}

var engines = []engine{
	{name: "postgres", what: "PostgreSQL 15, pgx with cached statements (driver/postgres as it comes)", dir: "."},
	{name: "postgres-second-entrance", what: "the same, with another plugin's callback: no call is one statement", dir: "."},
	{name: "postgres-extended", what: "pgx's mode `exec`: the extended protocol, nothing prepared", dir: "."},
	{name: "postgres-described", what: "pgx's mode `cache_describe`", dir: "."},
	{name: "postgres-simple", what: "pgx's mode `simple_protocol`", dir: "."},
	{name: "postgres-pq", what: "driver/postgres over lib/pq", dir: "."},
	{name: "postgres-pgbouncer", what: "behind pgbouncer in transaction mode, pgx's mode `exec`", dir: "."},
	{name: "postgres-plain", what: "PostgreSQL 15 that says it is CockroachDB: the statements for PostgreSQL's kin", dir: "."},
	{name: "postgres-16", what: "PostgreSQL 16", dir: "."},
	{name: "postgres-17", what: "PostgreSQL 17", dir: "."},
	{name: "postgres-18", what: "PostgreSQL 18", dir: "."},
	{name: "postgres-PrepareStmt", what: "gorm.Config{PrepareStmt}", dir: "."},
	{name: "postgres-SkipDefaultTransaction", what: "gorm.Config{SkipDefaultTransaction}", dir: "."},
	{name: "postgres-TranslateError", what: "gorm.Config{TranslateError}", dir: "."},
	{name: "postgres-CreateBatchSize", what: "gorm.Config{CreateBatchSize: 2}", dir: "."},
	{name: "postgres-DisableForeignKeyConstraintWhenMigrating", what: "gorm.Config{DisableForeignKeyConstraintWhenMigrating}", dir: "."},
	{name: "postgres-NamingStrategy", what: "gorm.Config{NamingStrategy} with a TablePrefix", dir: "."},
	{name: "postgres-plugins-before", what: "dbresolver, opentelemetry and prometheus loaded before", dir: "."},
	{name: "postgres-plugins-after", what: "dbresolver, opentelemetry and prometheus loaded after", dir: "."},
	{name: "gorm-1.25.12", what: "gorm v1.25.12, PostgreSQL 15", dir: ".", flags: []string{"-modfile=testdata/gorm-1.25.12.mod", "-tags=gorm_before_1_31"}},
	{name: "gorm-1.30.5", what: "gorm v1.30.5, PostgreSQL 15", dir: ".", flags: []string{"-modfile=testdata/gorm-1.30.5.mod", "-tags=gorm_before_1_31"}},
	{name: "mariadb", what: "MariaDB 10.11 (driver/mysql)", dir: "."},
	{name: "mariadb-snapshot-isolation", what: "the same with innodb_snapshot_isolation, which is the default since 11.6.2", dir: "."},
	{name: "galera", what: "MariaDB Galera, two nodes, writers on both", dir: ".", more: "Galera(Counting|IsAsked)"},
	{name: "mysql-in-process", what: "go-mysql-server v0.20.0, as MySQL 8.0.31", dir: "gomysql"},
	{name: "tidb-pessimistic", what: "TiDB, pessimistic transactions", dir: "tidb", onDemand: true},
	{name: "tidb-optimistic", what: "TiDB, optimistic transactions", dir: "tidb", onDemand: true},
	{name: "sqlite", what: "SQLite in WAL mode (driver/sqlite, cgo)", dir: "."},
	{name: "sqlite-rollback", what: "SQLite with a rollback journal (driver/sqlite, cgo)", dir: "."},
	{name: "sqlite-ncruces", what: "SQLite in WAL mode (ncruces gormlite)", dir: "sqlite/ncruces"},
	{name: "sqlite-ncruces-rollback", what: "SQLite with a rollback journal (ncruces gormlite)", dir: "sqlite/ncruces"},
	{name: "sqlite-glebarez", what: "SQLite in WAL mode (glebarez)", dir: "sqlite/glebarez"},
	{name: "sqlite-glebarez-rollback", what: "SQLite with a rollback journal (glebarez)", dir: "sqlite/glebarez"},
}

// absent are those that could not be run.
var absent = [][2]string{
	{"MySQL 8 and 9", "the text of their statements, in golden files; MariaDB runs the same but for RETURNING"},
	{"SQL Server", "the text of its statements, in golden files"},
	{"CockroachDB", "the text of its statements, in golden files; PostgreSQL in its part (`postgres-plain`)"},
	{"YugabyteDB", "the same"},
	{"Citus", "the same"},
}
