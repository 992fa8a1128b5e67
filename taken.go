package m2msafe

import (
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// taken is what the plugin's steps need to know of a statement.
type taken struct {
	settings  *settings
	plans     *plans
	creating  bool // the statement inserts the owners
	relations []*schema.Relationship
	omits     []string // Statement.Omits and Selects as the user set them
	selects   []string
	choice    choice
	early     bool         // nothing but links is saved, and is linked before the owner's update
	changed   bool         // a link was made
	missing   []int        // elements that the one statement has found not to be stored
	config    *gorm.Config // what the statement had, if it is to have another
}

// choice is what the user's Select and Omit come to.
type choice struct {
	columns    map[string]bool
	restricted bool // a Select is given: what is not in columns is not chosen
}

// has says whether a relation is to be saved.
func (c choice) has(relation string) bool {
	chosen, named := c.columns[relation]
	return chosen || (!named && !c.restricted)
}

// takenKey is where a statement's taken stands in its Settings. GORM copies them
// into nested statements, so the key is each statement's own.
type takenKey struct{ *gorm.Statement }

// takenBy is what an earlier step of the statement has taken.
func takenBy(db *gorm.DB) (*taken, bool) {
	value, _ := db.Statement.Settings.Load(takenKey{db.Statement})
	t, ok := value.(*taken)
	return t, ok
}

// relationsOf returns the statement's relations that the plugin is to save, and
// how it is to do that. It costs nothing where there is none.
func relationsOf(db *gorm.DB, creating bool) (*taken, bool) {
	if db.Error != nil || db.Statement.Schema == nil || !holdsTargets(db.Statement) {
		return nil, false
	}
	// The session's own plugin, which is another than the registered one below
	// With.
	plugin, ok := db.Plugins[pluginName].(*Plugin)
	if !ok || plugin.settings.off || db.Statement.ConnPool == nil {
		return nil, false
	}
	columns, restricted := db.Statement.SelectAndOmitColumns(creating, !creating)
	t := &taken{
		settings: &plugin.settings, plans: plugin.plans, creating: creating,
		omits: db.Statement.Omits, selects: db.Statement.Selects, choice: choice{columns, restricted},
	}
	for _, rel := range db.Statement.Schema.Relationships.Many2Many {
		if t.choice.has(rel.Name) {
			t.relations = append(t.relations, rel)
		}
	}
	return t, len(t.relations) > 0
}

// holdsTargets says whether any owner holds anything in a many-to-many field.
func holdsTargets(stmt *gorm.Statement) bool {
	for _, rel := range stmt.Schema.Relationships.Many2Many {
		switch v := stmt.ReflectValue; v.Kind() {
		case reflect.Struct:
			if holds(stmt, rel, v) {
				return true
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				if owner := reflect.Indirect(v.Index(i)); owner.Kind() == reflect.Struct && holds(stmt, rel, owner) {
					return true
				}
			}
		}
	}
	return false
}

func holds(stmt *gorm.Statement, rel *schema.Relationship, owner reflect.Value) bool {
	if owner.Type() != stmt.Schema.ModelType {
		return false // the values of an update, which may be of any type
	}
	if len(rel.Field.StructField.Index) > 1 { // a look at it would make the embedded struct
		_, zero := rel.Field.ValueOf(stmt.Context, owner)
		return !zero
	}
	field := reflect.Indirect(rel.Field.ReflectValueOf(stmt.Context, owner))
	return field.IsValid() && field.Len() > 0
}

// onlyLinks says whether an update writes no columns but the owner's auto-update
// times, and saves no other relations.
func (t *taken) onlyLinks(db *gorm.DB) bool {
	if t.creating || !t.choice.restricted {
		return false
	}
	for name, chosen := range t.choice.columns {
		relation := func(r *schema.Relationship) bool { return r.Name == name }
		_, column := db.Statement.Schema.FieldsByDBName[name]
		_, related := db.Statement.Schema.Relationships.Relations[name]
		if chosen && (column || related && !slices.ContainsFunc(t.relations, relation)) {
			return false
		}
	}
	return true
}
