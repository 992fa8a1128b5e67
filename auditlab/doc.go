// Package auditlab is where the audit is shown databases that nobody here has designed: those that
// Django, Ent and GORM make themselves, and the statements of Sequelize, Prisma, Rails
// and Hibernate, in testdata/sql with their sources. Its tests say what is true of each
// as it was made and why, plant every kind of defect, and have the audit's own statements
// mend them and take it back, on PostgreSQL, MariaDB and SQLite. Django is run for real,
// and writes beside the plugin.
//
// "go test" plants each defect on each engine, but not in each framework's tables; with
// M2MSAFE_SCHEMAS=all ("make audit-schemas") it does, and has more rounds beside Django.
// MariaDB and Django are installed where they are missing, by root on Debian or Ubuntu;
// where they can't be the tests fail, and say what to install.
package auditlab
