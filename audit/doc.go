// Package audit finds the join tables of a database that can't be safe, whoever made
// them, says what happens because of it, and gives the SQL that mends them.
//
// [Run] takes a *sql.DB and GORM's name of its database, and returns a [Report];
// m2msafe.Audit has the models of an app in front of it, and "m2msafe audit" a command
// line. It reads only, in a transaction of its own, by one connection: the catalogue
// (pg_catalog, information_schema, sqlite_master and PRAGMAs), and of rows numbers alone,
// where the catalogue leaves something open. No value of a row is in a report; the
// predicate of a partial index is, as its maker wrote it. Predicates of soft deletion are
// asked of the database, unless they run functions that are not its own.
//
// # What is a join table
//
// A table with two references whose pair is what it is for: by its unique key, by having
// nothing else, or by a name. References are foreign keys, or columns that are called as
// GORM, Django, Rails, Prisma, Ent, Sequelize and Hibernate call theirs. A unique key on
// the pair and something else says that a pair may come again: such a table is none, unless
// it is named, or known from models. Neither is one that is called as what is kept of
// another, one of several references of which one has a value, nor one that has a column
// beside a reference which says to what table that goes.
//
// # What a fix may do
//
// A fix deletes rows in two cases, and puts them into a table m2msafe_removed_… in the same
// step, from which its undo brings them back: rows that say the same as another of their
// pair, of which one living row stays; and rows that point at nothing. Where that could be
// wrong it deletes none, and the story of the finding says why:
//
//   - the rows of a pair differ in anything but their number, and when and by whom they were
//     made or changed;
//   - a unique key, an exclusion constraint or a predicate speaks for pairs that come again,
//     or the table may be one of events by its name;
//   - rows of other tables refer to them by a foreign key: of a pair the row stays that is
//     referred to, and a link to nothing does;
//   - a column of another table that was read is called as if it referred to them, without a
//     foreign key, or says by a type beside it that it may: then all stay;
//   - the end is known by its name alone, and most rows point at nothing there, or the name
//     leaves something open;
//   - the end has no foreign key, and some rows have 0, an empty text or the like there;
//   - a trigger or a rule would run, logical replication could not tell which row goes, or
//     the table keeps its history (WITH SYSTEM VERSIONING);
//   - it can't be told which rows are deleted softly, or other tables inherit from this one.
//
// Rows with NULL in the pair are left to who knows what they mean, unless they point at
// nothing at the other end.
//
// Others write while a fix is applied. A pair that is stored twice between the removal and
// the unique key has that key fail; a link to nothing, the foreign key. Nothing is lost by
// it: audit again, and the new fix begins with what is left, an invalid index too. Apply
// the statements of a fix in their order, by one connection, and by a client that stops at
// the first error: in a transaction those between two that are [Statement.Solo], where the
// database has DDL in transactions. On SQLite a statement that fails loses no rows even if
// the client goes on: what would be lost with it fails too. PostgreSQL's statements name
// each table with its schema, whatever search_path is; those of the MySQL family and of
// SQLite are applied by a connection to the database that was audited.
package audit
