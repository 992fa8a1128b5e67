package audit

import "fmt"

// Severity is how bad a finding is. Its texts are SARIF's levels.
type Severity int

// The severities.
const (
	Note    Severity = iota + 1 // slower, or to be known
	Warning                     // it goes wrong under certain writers
	Error                       // it goes wrong, or has
)

// String is the severity in a word.
func (s Severity) String() string {
	switch s {
	case Note:
		return "note"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("Severity(%d)", int(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(text []byte) error {
	for known := Note; known <= Error; known++ {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("audit: no severity: %q", text)
}

// Rule is a kind of finding. Its text is the rule's id in all formats.
type Rule string

// The rules.
const (
	NoUniqueKey         Rule = "no-unique-key"            // nothing keeps a pair from being stored twice
	PartialUniqueKey    Rule = "partial-unique-key"       // the only one on the pair covers some rows
	DeferrableUniqueKey Rule = "deferrable-unique-key"    // the only one is checked late, and can't be an arbiter
	ExpressionUniqueKey Rule = "expression-unique-key"    // the only one is on expressions of the pair
	NullableUniqueKey   Rule = "nullable-unique-key"      // a column of the pair permits NULL, which is never equal
	DuplicatePairs      Rule = "duplicate-pairs"          // pairs that are stored twice
	NoForeignKey        Rule = "no-foreign-key"           // an end can be deleted under its links
	DanglingLinks       Rule = "dangling-links"           // rows that point at nothing
	SoftDeleteFullKey   Rule = "soft-delete-full-key"     // a deleted link keeps its pair from being linked again
	SoftDeleteNoKey     Rule = "soft-delete-no-key"       // nothing keeps living pairs apart
	NoReverseIndex      Rule = "no-reverse-index"         // no index begins with the other end's columns
	CopiedUniqueKey     Rule = "copied-unique-key"        // a unique key that is not the pair's: on one end's column, or copied from the source
	LookupNotUnique     Rule = "lookup-column-not-unique" // the target's lookup column has no unique key
	KeyTypesDiffer      Rule = "key-types-differ"         // a join column has another type than the key that it refers to
)

// Finding is one thing that is wrong with one join table.
type Finding struct {
	Rule     Rule     `json:"rule"`
	Severity Severity `json:"severity"`
	// Table is the join table's name, or the target's for LookupNotUnique; with its
	// schema where it is not the default one.
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	// Relation is the model's field, as "User.Groups", where the audit was given models.
	Relation string `json:"relation"`
	Title    string `json:"title"` // one line, without a full stop
	Story    string `json:"story"` // what happens because of it: a few sentences
	// Rows is how many rows are concerned, -1 if they were not counted; Estimated says
	// that it is the database's estimate.
	Rows      int64 `json:"rows"`
	Estimated bool  `json:"estimated"`
	// Fix mends it, in this order; Undo takes that back, in this order. Those of several
	// findings are applied in the findings' order, and taken back in the other: where one
	// stopped, from that on. There is none where the Story says why.
	Fix  []Statement `json:"fix"`
	Undo []Statement `json:"undo"`
}

// Statement is a statement of a Fix or Undo.
type Statement struct {
	SQL  string `json:"sql"`  // without a semicolon at its end
	Why  string `json:"why"`  // a comment of one line
	Solo bool   `json:"solo"` // it can't run in a transaction (CREATE INDEX CONCURRENTLY)
}

// End is one side of a join table.
type End struct {
	Columns    []string `json:"columns"`    // of the join table
	Table      string   `json:"table"`      // that they refer to
	References []string `json:"references"` // its columns
	Declared   bool     `json:"declared"`   // by a foreign key, and not by names alone
}

// JoinTable is a table whose purpose is a pair.
type JoinTable struct {
	Name       string `json:"name"`
	Ends       [2]End `json:"ends"`
	Convention string `json:"convention"` // whose names it has, or "foreign keys", "names", "models", "named"
	Rows       int64  `json:"rows"`       // an estimate where Estimated
	Estimated  bool   `json:"estimated"`
	// Relation is the models' fields that it serves, as "User.Groups, Group.Users".
	Relation string `json:"relation"`
	// SoftDelete are the columns by which its rows are deleted without going away.
	SoftDelete []string `json:"soft_delete"`
}

// Report is what an audit has found. Findings stand by table, the worst first.
type Report struct {
	Database string      `json:"database"` // product and version; never a DSN
	Tables   []JoinTable `json:"tables"`
	Findings []Finding   `json:"findings"`
	// Unseen are tables that could not be looked at, with the reason: no privilege, a
	// time-out.
	Unseen []Unseen `json:"unseen"`
}

// Unseen is a table that could not be looked at.
type Unseen struct {
	Table  string `json:"table"`
	Reason string `json:"reason"`
}
