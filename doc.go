// Package m2msafe is a GORM plugin that turns every many-to-many write into an
// atomic get-or-create on the through (join) table:
//
//	db.Use(m2msafe.New())
//
// From then on Association().Append and everything that ends there (Replace,
// Create, Save, Updates, gorm.G) links through one conflict-tolerant statement
// per relation. Models and calls stay as they are.
//
// # What is promised
//
//   - When a call returns nil, every pair that it was asked for is linked, once,
//     however many writers ask for it at the same time.
//   - Only a conflict on the pair's own unique key is passed over. Any other
//     violation (a second unique key, a CHECK, a foreign key) reaches the caller.
//   - A stored target is linked, not inserted again: its create hooks do not run.
//   - A target without a key is known by a unique key that its table has (a name,
//     say): found, created, or what a faster writer has created. Each element
//     in memory ends with its own row's key (see [NaturalKey], [DeletedTargets]).
//   - A link that was soft-deleted comes back (see [DeletedLinks]).
//   - A transaction that the caller began is never aborted by something that the
//     plugin only tries, and nothing is retried inside it. A call's own is run again
//     if it lost against another one ([Retries]).
//
// # What is not
//
// The promise of one row a pair rests on a unique key that the database
// enforces on the pair. Where a join table has none, the plugin serializes its
// own writers (see [NoUniqueKey]); writers that go past the plugin can still
// store the pair twice. docs/semantics.md has every call with the SQL that it
// sends, and each difference from stock GORM.
//
// Only targets of many-to-many relations are found by their unique keys;
// belongs-to and has-one parents and has-many children are saved by GORM.
//
// # Functions
//
// [GetOrCreate] finds or inserts one row by its unique key, the through row
// above all. [LinkKeys] links by keys alone, [LinkPairs] any number of them.
// [Transaction] runs several calls as one, again if that lost. [Audit] looks whether the
// database can keep pairs unique.
//
// # Options
//
// The same options serve as defaults of the app, given to [New], and for the
// calls made through one *gorm.DB, given to [With].
package m2msafe
