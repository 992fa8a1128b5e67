package audit

// facts are what rows say, as far as they were asked.
type facts struct {
	counted   bool     // they could be
	nulls     int64    // rows with a NULL in the pair
	twice     int64    // pairs that are stored more than once
	spare     int64    // rows of them that are too many
	tied      int64    // pairs of them of which several rows are referred to by foreign keys
	dead      int64    // soft-deleted rows, where a full key covers them
	dangling  [2]int64 // rows that point at nothing, by end
	astray    int64    // and at either
	points    [2]bool  // it was asked
	filled    [2]int64 // rows that point at something or nothing, where some dangle
	signs     [2]int64 // rows that point at nothing, and by what they have there may be meant to
	differ    []difference
	mentioned string   // a column that may refer to its rows, without a foreign key
	own       []*index // keys of the table's own, that look like copies of an end's
}

// difference is how many pairs that are stored more than once have rows that differ in a
// column, which is no key and no time at which a row was made or changed.
type difference struct {
	column string
	pairs  int64
}
