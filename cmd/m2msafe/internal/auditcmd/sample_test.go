package auditcmd

import "github.com/m2msafe/m2msafe/audit"

// sample is a report with something of everything: texts of the audit's own kind, and
// names that ask for trouble.
func sample() *audit.Report {
	statement := func(sql, why string) audit.Statement { return audit.Statement{SQL: sql, Why: why} }
	solo := func(sql, why string) audit.Statement { return audit.Statement{SQL: sql, Why: why, Solo: true} }
	end := func(column, table, key string, declared bool) audit.End {
		return audit.End{Columns: []string{column}, Table: table, References: []string{key}, Declared: declared}
	}
	return &audit.Report{
		Database: "PostgreSQL 15.14",
		Tables: []audit.JoinTable{
			{Name: "user_groups", Ends: [2]audit.End{end("user_id", "users", "id", true), end("group_id", "groups", "id", false)}, Convention: "GORM", Rows: 1_204_311},
			{Name: "shop.order\x1b[2J<script>", Ends: [2]audit.End{
				{Columns: []string{"order_id", "order_region"}, Table: "shop.orders", References: []string{"id", "region"}, Declared: true},
				end("product_id", "shop.products", "id", true),
			}, Convention: "foreign keys", Rows: 48_000_000, Estimated: true},
			{Name: "article_tags", Ends: [2]audit.End{end("article_id", "articles", "id", true), end("tag_id", "tags", "id", true)}, Convention: "Rails", Rows: 17},
		},
		Findings: []audit.Finding{
			{
				Rule: audit.DuplicatePairs, Severity: audit.Error, Table: "user_groups", Columns: []string{"user_id", "group_id"},
				Title: "31 pairs are stored twice", Story: "A join lists each of them more than once. One Delete takes both away.",
				Rows: 35,
				Fix: []audit.Statement{
					statement("CREATE TABLE removed AS SELECT user_id, group_id FROM user_groups WITH NO DATA", "keeps the rows that are removed next"),
					statement("DELETE FROM user_groups", "keeps the oldest row of each pair"),
				},
				Undo: []audit.Statement{
					statement("INSERT INTO user_groups SELECT user_id, group_id FROM removed", "puts the removed rows back"),
					statement("DROP TABLE removed", "they are kept no longer"),
				},
			},
			{
				Rule: audit.NoUniqueKey, Severity: audit.Error, Table: "user_groups", Columns: []string{"user_id", "group_id"}, Relation: "User.Groups",
				Title: "Nothing keeps a pair from being stored twice", Story: "Two requests that link the same pair at once both look, both find nothing, and both insert.", Rows: 1_204_311,
				Fix:  []audit.Statement{solo(`CREATE UNIQUE INDEX CONCURRENTLY uq_user_groups ON user_groups (user_id, group_id)`, "the key that was missing; writers go on while it is built")},
				Undo: []audit.Statement{solo(`DROP INDEX CONCURRENTLY uq_user_groups`, "takes the index away")},
			},
			{
				Rule: audit.NoForeignKey, Severity: audit.Warning, Table: "user_groups", Columns: []string{"group_id"},
				Title: "No foreign key on group_id", Story: "A row of groups can be deleted under its links.", Rows: -1,
				Fix: []audit.Statement{
					statement("ALTER TABLE user_groups ADD CONSTRAINT fk FOREIGN KEY (group_id) REFERENCES groups (id) NOT VALID", "holds for new rows, for a moment's lock"),
					statement("ALTER TABLE user_groups VALIDATE CONSTRAINT fk", "looks at the old rows, while others write"),
				},
				Undo: []audit.Statement{statement("ALTER TABLE user_groups DROP CONSTRAINT fk", "takes the foreign key away")},
			},
			{
				Rule: audit.NoReverseIndex, Severity: audit.Note, Table: "shop.order\x1b[2J<script>", Columns: []string{"product_id"},
				Title: "No index begins with product_id", Story: "Finding the links of one row of shop.products reads the whole table.", Rows: 48_000_000, Estimated: true,
				Fix:  []audit.Statement{solo("CREATE INDEX CONCURRENTLY idx ON shop.\"order\x1b[2J<script>\" (product_id)", "writers go on while it is built")},
				Undo: []audit.Statement{solo("DROP INDEX CONCURRENTLY shop.idx", "takes the index away")},
			},
			{
				Rule: audit.LookupNotUnique, Severity: audit.Warning, Table: "tags", Columns: []string{"name"},
				Title: "tags are looked up by name, which has no unique key", Story: "It can't be mended before somebody has decided which of two equal rows stays.", Rows: 2,
			},
		},
		Unseen: []audit.Unseen{{Table: "payroll_members", Reason: "no privilege to read its rows"}},
	}
}
