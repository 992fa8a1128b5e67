package compat

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// portable writes a table definition for the database: {id} is a primary key
// that counts itself up, {pair} the columns of the pair with their foreign keys.
func portable(db *gorm.DB, ddl string) string {
	id, pair := "integer PRIMARY KEY AUTOINCREMENT", `article_id bigint NOT NULL REFERENCES articles (id), publication_id bigint NOT NULL REFERENCES publications (id)`
	switch db.Name() {
	case "postgres":
		id = "bigserial PRIMARY KEY"
	case "mysql":
		// MySQL and TiDB pass over REFERENCES behind a column.
		id, pair = "bigint PRIMARY KEY AUTO_INCREMENT", `article_id bigint unsigned NOT NULL, publication_id bigint unsigned NOT NULL,
			FOREIGN KEY (article_id) REFERENCES articles (id), FOREIGN KEY (publication_id) REFERENCES publications (id)`
	}
	return strings.NewReplacer("{id}", id, "{pair}", pair).Replace(ddl)
}

// dropIndex drops an index.
func dropIndex(t testing.TB, db *gorm.DB, index, table string) {
	t.Helper()
	of := ""
	if db.Name() == "mysql" {
		of = " ON " + table
	}
	exec(t, db, "DROP INDEX "+index+of)
}

// tidb says whether a database is TiDB.
func tidb(db *gorm.DB) bool { return strings.Contains(serverVersion(db), "TiDB") }

// mariaDB says whether a database is MariaDB.
func mariaDB(db *gorm.DB) bool { return strings.Contains(serverVersion(db), "MariaDB") }

// serverVersion is what a server of the MySQL family says of itself.
func serverVersion(db *gorm.DB) string {
	if d, ok := db.Dialector.(*mysql.Dialector); ok {
		return d.ServerVersion
	}
	return ""
}

// quotedName is a name in double quotes; keyName is a column that MySQL has to see
// quoted.
var (
	text       = regexp.MustCompile(`\btext\b`)
	quotedName = regexp.MustCompile(`"([^"']+)"`)
	keyName    = regexp.MustCompile(`(^|[ .,(])(key|lock)([ ,)]|$)`)
)

// native writes the suite's SQL for a database: its tables have the names that db's
// naming strategy gives them, and the MySQL family quotes names by backticks.
func native(db *gorm.DB, sql string) string {
	sql = prefixed(db, sql)
	if db.Name() != "mysql" {
		return sql
	}
	sql = strings.ReplaceAll(sql, "AS bigint)", "AS SIGNED)")
	if strings.HasPrefix(sql, "CREATE TABLE") || strings.HasPrefix(sql, "ALTER TABLE") {
		sql = text.ReplaceAllString(sql, "varchar(375)") // which may be a key, and have a default
	}
	if tidb(db) {
		sql = strings.ReplaceAll(sql, " AUTO_INCREMENT = ", " FORCE AUTO_INCREMENT = ") // else it only counts up
	}
	return keyName.ReplaceAllString(quotedName.ReplaceAllString(sql, "`$1`"), "$1`$2`$3")
}

// ofTables is where the suite's SQL names tables: a name in small letters, or several,
// behind a word in capitals. A dot behind it has another name follow, or a column; a
// bracket at once makes it a function. What is in quotes is passed over.
var (
	ofTables  = regexp.MustCompile(`"[^"]*"|'[^']*'|\b(FROM|JOIN|INTO|UPDATE|TABLE|TRUNCATE|ON|OF|REFERENCES) ([a-z]\w*(?:, [a-z]\w*)*)([.(]?)`)
	recursive = regexp.MustCompile(`\bWITH RECURSIVE (\w+)`)
)

// prefixed gives the tables in the suite's SQL the prefix of db's naming strategy, if it
// is GORM's and has one.
func prefixed(db *gorm.DB, sql string) string {
	if namer, ok := db.NamingStrategy.(schema.NamingStrategy); !ok || namer.TablePrefix == "" {
		return sql
	}
	var own []string // the names that the statement gives itself
	for _, m := range recursive.FindAllStringSubmatch(sql, -1) {
		own = append(own, m[1])
	}
	return ofTables.ReplaceAllStringFunc(sql, func(found string) string {
		m := ofTables.FindStringSubmatch(found)
		if m[1] == "" || m[3] != "" {
			return found
		}
		names := strings.Split(m[2], ", ")
		for i, name := range names {
			if !slices.Contains(own, name) {
				names[i] = tableOf(db, name)
			}
		}
		return m[1] + " " + strings.Join(names, ", ")
	})
}

// pairTable is the join table of articles and publications.
func pairTable(n schema.Namer) string { return n.JoinTableName("article_publications") }

// tableOf is the name that a table of the suite has under db's naming strategy.
func tableOf(db *gorm.DB, name string) string { return db.NamingStrategy.JoinTableName(name) }
