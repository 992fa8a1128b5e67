// Package soak has writers use m2msafe for a long time on rows that do not grow in
// number, and measures whether anything else does: the heap, the goroutines, the texts
// of statements, the statements that are prepared and the memory of the server's
// sessions; and whether calls get slower or fail.
//
// For a sample everybody stops, so that what is counted is what stays: the heap behind
// a collection, and of the server the very sessions that have done the work.
package soak
