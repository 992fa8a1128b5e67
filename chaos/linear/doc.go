// Package linear checks that concurrent calls on a many-to-many relation are
// linearizable: that each of them could have taken place at one moment between its
// call and its return, on a set of targets that an owner has. Clients with a connection
// each make random calls on a few pairs; porcupine looks for an order.
//
// What takes place at one moment is what the databases promise, which is less than a
// call. Under their default isolation levels (READ COMMITTED of PostgreSQL, REPEATABLE
// READ of MariaDB):
//
//   - Append: the links that it reports as created or revived were all absent, and are
//     all there, at one moment, its commit. A link that it reports as existing was
//     there at some moment of the call, each at its own: it is found and not locked, so
//     that it may be deleted before the others are written.
//   - Delete is GORM's DELETE. Each link is gone at some moment, not all at the same: a
//     link that is made while the statement waits for the lock of another one is not
//     seen by it.
//   - Replace is GORM's: an Append, and a DELETE of all the others as a second
//     transaction. It is both, one after the other; a callback notes when the second
//     begins.
//   - Count and Find are one statement each, and one moment. They have to see each link
//     once.
//
// In transactions of the caller's at SERIALIZABLE each of these calls is one moment.
// There a lost transaction is run again by the client, as it has to be, and the moment
// is anywhere between the first try and the end of the last.
//
// A call that misses a deadline may have written, and may still: its moment is any
// later one, or none. A transaction that lost (a deadlock, a serialization failure) has
// written nothing. Any other error fails the run.
//
// Stock GORM says nothing of what it did. Its Append is that each link is there at some
// moment.
package linear
