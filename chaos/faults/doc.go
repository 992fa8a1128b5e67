// Package faults has writers append through m2msafe while the database, the wire and
// their own contexts fail them, and then asks the database whether the plugin has
// kept its word: every acknowledged link is there, no pair twice, no target doubled,
// no call half done, keys in memory equal to the stored ones, nothing left open.
//
// # What a seed replays
//
// The seed decides, before anything runs, each writer's calls (their kinds, owners,
// targets and order), the faults and their measures, which calls have a fault of
// their own and at which of their statements, and before which number of calls begun
// every other fault comes: that call does not begin much sooner or later, since
// writers wait for a fault that is due.
//
// It does not decide what scheduling does: which writer begins the n-th call, what
// the calls in flight are just doing when a session is ended or a connection cut,
// which of the backends that there are it is, and how long anything takes. A
// deadline is a share of what such calls have taken so far. So the same seed finds the
// same kind of thing most of the time, not the same row each time.
//
// # What a lost answer means
//
// A call whose COMMIT was sent, and whose answer did not come, has failed, and is
// done or not: only the database knows. The audit accepts both, all or nothing, and
// counts them. A call that has failed with an answer from the database must not be
// done.
package faults
