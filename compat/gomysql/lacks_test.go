package gomysql

// lacks are behaviours that go-mysql-server v0.20.0 does not let the suite show, by
// the reason. It speaks MySQL's protocol and most of its SQL; transactions and locks
// are not what it is for.
var lacks = map[string][]string{
	"go-mysql-server: its tables in memory know neither ROLLBACK nor savepoints": {
		"the caller's rollback takes links and targets along",
		"the caller's savepoint takes its links along",
		"a hook's error rolls targets and links back",
		"a map is a new target",
		"an unstored target is created in the caller's transaction",
		"maps, values and pointers go together in one call",
		"a dead row that takes the name is refused by its key",
		"a dead row that takes the name is revived where the option says so",
		"a lost race in the caller's transaction",
		"eight writers of the same fifty new names, in transactions of the caller's",
		"every call form knows names in the caller's transaction, and goes with it",
		"every call form knows names under every mode",
		"new elements that are equal by different keys are one row",
		"random calls do as the model does where names are unique for ever",
		"the caller's transaction works after each refusal",
		"OnLinked's error is the call's and rolls links and targets back",
		"OnLinked's error leaves the caller's transaction usable",
		"a slice of owners is created with all their links",
		"every call form works in the caller's transaction, and goes with it",
		"options of With survive sessions, transactions and gorm.G",
		"a nil pointer in the owner's field is refused",
		"a zero reference value on the target is refused",
		"an owner that is not stored is refused",
		"an owner without a key is refused in every call that could have one",
		"an unstored target under Omit of Rel.* is refused by name",
		"GetOrCreate that lost is run again",
		"a transaction of the caller's is the caller's to run again",
		"what is no transaction is not run again once a part of it is stored",
		"a Transaction in a Transaction joins it",
		"a Transaction in a transaction of the caller's joins that",
		"a loss that the function passes over counts",
		"a panic rolls back and goes on",
		"a transaction that lost is run again, on what was in memory before",
		"all that is done in one stands together, and is told once it stands",
		"no try is made once the context has ended: Transaction",
		"one that fails for another reason is not run again",
		"one that goes on losing is ErrRetry, and leaves nothing behind",
		"what a lost run has appended is not asked for any more",
		"what a query has loaded is as it was before",
		"an update of an owner that is not stored leaves no target",
		"owners that are struct values are saved as on stock GORM",
	},
	"go-mysql-server: it has no row locks, and no transaction waits for another": {
		"a key that a hook makes gives way to the stored one",
		"a lost race against a row that is deleted softly",
		"a lost race ends with the winner's rows",
		"defaults of the database that some elements have set mix up nothing",
		"eight writers of the same fifty new names, one name a call",
		"of many writers exactly one is told created",
		"many callers link the same pairs, each once",
		"one session of With serves many goroutines",
		"writers of all kinds meet in one owner, without a unique key",
	},
	"go-mysql-server: it fails over an EXISTS in a CASE: result max1Row iterator returned more than one row": {
		"both sides see a link made from either",
		"a generated column",
		"a pool of one connection is enough",
		"a surrogate id and a unique index",
		"a surrogate id and a unique pair",
		"a surrogate id and a unique pair in the other order",
		"a table prefix",
		"a wider unique key beside the pair's",
		"an index made after the first call does no harm",
		"columns that may be NULL",
		"mixed case",
		"names that need quoting",
		"no join table is an error that says so",
		"the table that GORM makes",
		"two unique keys on the pair",
		"Through by NULL and hostile text",
		"Through by a pointer to a struct",
		"Through by a struct",
		"Through by an expression",
		"Through by column names",
		"Through by field names",
		"a link has the owner and the target in memory, and their keys",
		"no value of a row is in the text of a statement",
		"the text of a statement is the same for other values",
		"under ParameterizedQueries no value is in a log or an error",
		"hostile texts are values in every call",
	},
	"go-mysql-server: each SELECT more in a UNION takes it twice as long to prepare": {
		"keys that are strings, hostile ones too",
		"hooks run for a call's many rows",
		"eight writers of the same fifty new names",
		"eight writers of names that are equal to the database only",
	},
	"go-mysql-server: it ends a recursive query after 1,000 rows": {
		"40,000 links in one call",
		"40,000 dead rows are revived in one call",
		"40,000 names in one call",
		"any number of elements takes one lookup and one create",
	},
	"go-mysql-server: stock GORM loses links there that it makes on MariaDB and TiDB": {
		"cycles are saved as in stock GORM",
		"nested associations of keyed new targets are saved as in stock GORM",
		"nested associations of new targets are saved as in stock GORM",
		"nested associations of stored targets are saved as in stock GORM",
	},
	"go-mysql-server: it compares such keys otherwise than MySQL does": {
		"keys that are decimal",
		"keys that are times, which the column rounds",
		"keys that the database holds to be equal are one",
	},
	"go-mysql-server: a CHECK that is violated has no number of its own there": {
		"a CHECK is raised",
	},
	"go-mysql-server: it passes over the mode PIPES_AS_CONCAT": {
		"hooks run once for each row that is to be inserted",
	},
	"go-mysql-server: it has no type uuid": {
		"keys that are UUIDs as text",
	},
}

// breaks is the same by behaviour.
func breaks() map[string]string {
	by := map[string]string{}
	for reason, names := range lacks {
		for _, name := range names {
			by[name] = reason
		}
	}
	return by
}
