package auditcmd

import "github.com/m2msafe/m2msafe/audit"

// ruleText is what a rule is about, whatever table it is found in.
type ruleText struct {
	rule  audit.Rule
	level audit.Severity // the usual one
	short string         // a sentence
	full  string         // what happens because of it
	mend  string         // what the SQL of such a finding does
	other string         // when it has another severity, and which
}

// ruleTexts are all rules, in the order of their declaration.
var ruleTexts = []ruleText{
	{
		audit.NoUniqueKey, audit.Error,
		"Nothing keeps a pair from being stored twice.",
		"Two requests that link the same pair at once both look, both find nothing, and both insert. No code of the app can prevent it: only a unique key on the pair can.",
		"Builds a unique key on the pair, on PostgreSQL CONCURRENTLY, once the rows that are too many are in a table of their own. Where a key, a tenant's column or the rows say that a pair may be meant to come again, it has to be written by hand.",
		"warning where a pair may be meant to come again, or an exclusion constraint keeps pairs apart",
	},
	{
		audit.PartialUniqueKey, audit.Warning,
		"The only unique key on the pair covers some of the rows.",
		"Rows that its WHERE leaves out can be stored twice, and ON CONFLICT without the same WHERE does not find it.",
		"Builds a unique key for all rows, and takes the partial one away.",
		"",
	},
	{
		audit.DeferrableUniqueKey, audit.Warning,
		"The only unique key on the pair is deferrable.",
		"It is checked late, so it can't be the arbiter of ON CONFLICT: an atomic get-or-create fails with 55000.",
		"Makes the constraint one that is checked at once.",
		"",
	},
	{
		audit.ExpressionUniqueKey, audit.Warning,
		"The only unique key on the pair is on expressions.",
		"It keeps what the expressions make of the pair apart, which may be more or less than the pair, and ON CONFLICT has to repeat them.",
		"Builds a unique key on the columns themselves.",
		"",
	},
	{
		audit.NullableUniqueKey, audit.Warning,
		"A column of the pair permits NULL.",
		"To a unique key NULL is never equal to NULL, so a link with one can be stored any number of times.",
		"Makes the columns NOT NULL, if no row has NULL there: what such rows mean only you can say.",
		"",
	},
	{
		audit.DuplicatePairs, audit.Error,
		"Pairs are stored more than once.",
		"Lists show the link twice, counts are too high, and a unique key can't be built before they are gone.",
		"Where the rows of each pair say the same but for their number and their bookkeeping (when and by whom they were made or changed), it keeps one of them, the oldest by its time or the one with the lowest key, and any that a foreign key refers to; the others go into a table of their own. Where they differ in anything else, only you can say which have to go.",
		"warning where a pair may be meant to come again",
	},
	{
		audit.NoForeignKey, audit.Warning,
		"An end can be deleted under its links.",
		"Without a foreign key a row can go in the same moment in which another request links it. What is left is a link that points at nothing.",
		"Adds the foreign key; on PostgreSQL for new rows first, and the old ones are validated while others write. Where little tells to which table a column refers, it is left to you.",
		"note where there is one that was never validated",
	},
	{
		audit.DanglingLinks, audit.Error,
		"Links point at nothing.",
		"Joins do not show them, counts do, and the next row with that key has links that nobody gave it.",
		"Moves them into a table of their own, but for those that a foreign key refers to. Where the end has no foreign key none is moved if one has 0, an empty text or the like there; nor, where a name alone tells of the end, if most rows point at nothing or that name leaves something open.",
		"warning where none is moved",
	},
	{
		audit.SoftDeleteFullKey, audit.Warning,
		"A deleted link keeps its pair from being linked again.",
		"The unique key covers soft-deleted rows too. Who links such a pair again gets an error, or, by DO NOTHING, success without a link.",
		"Builds a unique key for living rows, and takes the full one away.",
		"note for an app with the plugin, which brings deleted links back",
	},
	{
		audit.SoftDeleteNoKey, audit.Error,
		"Nothing keeps living pairs apart.",
		"The table is soft-deleted, and no unique key covers its living rows: a pair can be linked twice at once.",
		"Builds a unique key for living rows, once those that are too many are in a table of their own.",
		"warning where a pair may be meant to come again",
	},
	{
		audit.NoReverseIndex, audit.Note,
		"No index begins with the other end's columns.",
		"From that end each look at the links reads the whole table, and so does each delete of a row there.",
		"Builds the index, on PostgreSQL CONCURRENTLY.",
		"",
	},
	{
		audit.CopiedUniqueKey, audit.Warning,
		"A unique key that is not the pair's lets an end be linked once.",
		"It stands on one end's column, which only models can tell from an end that is meant to have one link, or was copied from an end together with a column, whose values it still has. The second link is refused, or silently not there.",
		"Takes it away, and puts a key on the pair in its place where there is none. A primary key it leaves: what takes its place has to be written by hand.",
		"error where models say that each end may have many",
	},
	{
		audit.LookupNotUnique, audit.Warning,
		"Targets are looked up by a column without a unique key.",
		"Two requests that create the same new name at once both find nothing, and create it twice. From then on each lookup takes one of them by chance.",
		"Builds the unique key, once no two rows are equal.",
		"error where values are stored twice",
	},
	{
		audit.KeyTypesDiffer, audit.Warning,
		"A join column has another type than the key that it refers to.",
		"Keys may not fit into it, joins may pass the index by, and a foreign key may be impossible.",
		"Gives the column the key's type.",
		"note where an integer is wider than the key; error where there is no unique key yet, for two texts may be one key",
	},
}

// textOf is a rule's text. A rule that has none is described by its name.
func textOf(rule audit.Rule) ruleText {
	for _, t := range ruleTexts {
		if t.rule == rule {
			return t
		}
	}
	return ruleText{rule: rule, level: audit.Warning, short: string(rule), full: string(rule), mend: string(rule)}
}
