package m2msafe

import (
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// mapCreation is the create of one target that Append was given as a map.
type mapCreation struct {
	links  *links
	values map[string]any
	config *gorm.Config // what the statement had, if its insert is left out
	inside bool         // a savepoint of the caller's transaction is behind it
}

const mapSavepoint = "m2msafe_map"

type mapKey struct{ *gorm.Statement }

// findMap looks a target that is a map up by its natural keys. If it is stored
// the insert is left out and the row is put into the map, where Append reads it;
// if not, the insert may meet a concurrent one.
func findMap(db *gorm.DB) {
	m, ok := mapOf(db)
	if !ok {
		return
	}
	target, err := m.target()
	if db.AddError(err) != nil {
		return
	}
	missing, err := m.links.resolve([]reflect.Value{target})
	if db.AddError(err) != nil {
		return
	}
	if m.links.naturalText(target) != "" {
		m.links.attempt().each(func(a *attempt) { a.memory.nameMap(m.values) })
	}
	if len(missing) == 0 {
		m.fill(target)
		m.config = db.Config
		config := *db.Config // shared with other sessions
		config.DryRun = true
		db.Config = &config
	} else {
		if onConflict := m.links.nothing(); m.links.naturalText(target) != "" && onConflict != nil && !m.links.races() {
			db.Statement.AddClause(*onConflict)
		}
		if _, m.inside = db.Statement.ConnPool.(gorm.TxCommitter); m.inside {
			// What fails must not abort the caller's transaction.
			_ = db.AddError(savepoint(db, mapSavepoint))
		}
	}
	db.Statement.Settings.Store(mapKey{db.Statement}, m)
}

// settleMap ends what findMap began.
func settleMap(db *gorm.DB) {
	value, _ := db.Statement.Settings.LoadAndDelete(mapKey{db.Statement})
	m, ok := value.(*mapCreation)
	if !ok {
		return
	}
	if m.config != nil {
		db.Config = m.config
		db.Statement.SQL.Reset() // it was not sent
		db.Statement.Vars = nil
		return
	}
	if m.links.races() && violates(db, db.Error, gorm.ErrDuplicatedKey) && m.lost(db) {
		return
	}
	if db.Error != nil {
		db.Error = m.links.createError(db.Error)
		if m.inside {
			db.Error = rollBackTo(db, mapSavepoint, db.Error)
		}
		return
	}
	if db.RowsAffected != 0 {
		return
	}
	target, err := m.target()
	if err == nil {
		var missing []reflect.Value
		if missing, err = m.links.resolve([]reflect.Value{target}); err == nil && len(missing) > 0 {
			err = m.links.fail(ErrTargetNotStored, nil, "it could not be created: another row has one of its unique values")
		}
	}
	if db.AddError(err) == nil {
		m.fill(target)
	}
}

// lost says whether a map's insert has failed because somebody was faster, and
// fills the map with what that one has stored.
func (m *mapCreation) lost(db *gorm.DB) bool {
	failed := db.Error
	db.Error = nil // else nothing is sent
	m.links.current = true
	target, err := m.target()
	var missing []reflect.Value
	if err == nil {
		missing, err = m.links.resolve([]reflect.Value{target})
	}
	if err != nil || len(missing) > 0 {
		db.Error = failed
		return false
	}
	m.fill(target)
	return true
}

// mapOf is the map of a statement that Association.Append has made of one. There
// is nothing in the statement that tells it from a plain create of a map, which
// has to fail on a duplicate; only the call stack does.
func mapOf(db *gorm.DB) (*mapCreation, bool) {
	values, ok := db.Statement.Dest.(map[string]any)
	plugin, used := db.Plugins[pluginName].(*Plugin)
	if !ok || !used || plugin.settings.off || db.Error != nil || db.DryRun || db.Statement.Schema == nil || !calledBy("Create", "gorm.io/gorm.(*Association).saveAssociation") {
		return nil, false
	}
	l := modelLinks(db, db.Statement.Schema, &taken{settings: &plugin.settings, plans: plugin.plans, creating: true})
	if db.AddError(l.plannedModel()) != nil {
		return nil, false
	}
	l.given = map[string]bool{}
	for name := range values {
		if field := l.rel.FieldSchema.LookUpField(name); field != nil {
			l.given[field.DBName] = true
		}
	}
	return &mapCreation{links: l, values: values}, true
}

// target is the map as a model.
func (m *mapCreation) target() (reflect.Value, error) {
	target := reflect.New(m.links.rel.FieldSchema.ModelType)
	for name, value := range m.values {
		if field := m.links.rel.FieldSchema.LookUpField(name); field != nil {
			if _, expression := value.(clause.Expression); expression {
				continue
			}
			if err := field.Set(m.links.db.Statement.Context, target, value); err != nil {
				return target, m.links.fail(nil, withoutValue(m.links.db, value, err), "field "+field.Name+" can't hold the value in the map")
			}
		}
	}
	return target, nil
}

// fill puts a stored row into the map, by its columns.
func (m *mapCreation) fill(target reflect.Value) {
	for _, field := range m.links.rel.FieldSchema.Fields {
		key := slices.Contains(m.links.rel.FieldSchema.PrimaryFields, field)
		if field.DBName != "" && field.Readable && (key || !m.links.settings.keysOnly) {
			m.values[field.DBName], _ = field.ValueOf(m.links.db.Statement.Context, target)
		}
	}
}

// modelLinks is what finding rows of a model takes, without a relation.
func modelLinks(db *gorm.DB, model *schema.Schema, t *taken) *links {
	return newLinks(db, t, &schema.Relationship{Schema: model, FieldSchema: model, JoinTable: model})
}

// plannedModel finds or makes the plan of a model: its natural keys, the primary
// key among them.
func (l *links) plannedModel() error {
	key := l.planKey()
	if p, ok := l.plans.made.Load(key); ok {
		l.plan = p.(*plan)
		return nil
	}
	of, err := l.plans.productOf(l.db)
	if err != nil {
		return l.fail(nil, err, "the catalogue of the database could not be read")
	}
	p := &plan{dialect: of.Dialect}
	if p.target, err = l.describe(l.rel.FieldSchema); err == nil {
		if p.target == nil {
			return l.fail(ErrNoJoinTable, nil, "create it with AutoMigrate or a migration")
		}
		p.table = p.target
		l.plan = p
		err = l.planNaturals(p)
	}
	if err != nil {
		return err
	}
	if !p.table.Uncommitted {
		l.plans.made.Store(key, p)
	}
	return nil
}
