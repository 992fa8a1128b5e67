// Package auditlab is where the audit is shown databases that nobody here has designed: those that
// Django, Ent and GORM make themselves, and the statements of Sequelize, Prisma, Rails
// and Hibernate, in testdata/sql with their sources. Its tests say what is true of each
// as it was made and why, plant every kind of defect, and have the audit's own statements
// mend them. Django is run for real, and writes beside the plugin.
package auditlab
