package lab

import (
	"fmt"
	"reflect"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Way is one of the ways to make the same calls.
type Way struct {
	Name  string // as reports call it
	About string
	// Use makes a *gorm.DB ready for the way's calls; nil for stock GORM.
	Use func(db *gorm.DB) error
	// Do makes one call.
	Do func(db *gorm.DB, rel *Relation, call Append) error
}

// The ways' names.
const (
	ByHand = "by hand"
	Stock  = "stock GORM"
	Plugin = "m2msafe"
)

// Ways are the three ways, in the order of the report.
func Ways() []*Way {
	return []*Way{
		{Name: ByHand, About: "check, then insert: SELECT the link, INSERT it if it is missing", Do: checkThenInsert},
		{Name: Stock, About: "db.Model(&owner).Association(…).Append(…)", Do: appendTargets},
		{
			Name: Plugin, About: "the same call, after db.Use(m2msafe.New())", Do: appendTargets,
			Use: func(db *gorm.DB) error { return db.Use(m2msafe.New()) },
		},
	}
}

// appendTargets is the call as a GORM app makes it, plugin or not.
func appendTargets(db *gorm.DB, rel *Relation, call Append) error {
	field := rel.Field
	if call.Inverse {
		field = rel.Inverse
	}
	if call.Maps {
		return appendMaps(db.Model(call.Owner).Association(field), call.Targets)
	}
	return db.Model(call.Owner).Association(field).Append(values(call.Targets))
}

// appendMaps gives the targets as maps. What they have become stands in the
// owner's field, where an app would look for it.
func appendMaps(association *gorm.Association, targets []Entity) error {
	var maps []any
	for _, target := range targets {
		maps = append(maps, map[string]any{"name": target.row().Name})
	}
	if err := association.Append(maps...); err != nil {
		return err
	}
	field := reflect.Indirect(association.Relationship.Field.ReflectValueOf(association.DB.Statement.Context, association.DB.Statement.ReflectValue))
	for i, target := range targets {
		*target.row() = *field.Index(field.Len() - len(targets) + i).Interface().(Entity).row()
	}
	return nil
}

// values is what a person would give to Append: the one target, or a slice of
// their own type. (GORM takes quadratic time for many single ones.)
func values(targets []Entity) any {
	if len(targets) == 1 {
		return targets[0]
	}
	slice := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(targets[0])), 0, len(targets))
	for _, target := range targets {
		slice = reflect.Append(slice, reflect.ValueOf(target))
	}
	return slice.Interface()
}

// checkThenInsert links as most people do by hand: read which links are there,
// insert the others. Between the two anything may happen.
func checkThenInsert(db *gorm.DB, rel *Relation, call Append) error {
	if rel.NewTargets {
		create := createMissing
		if rel.ByName {
			create = createMissingNames
		}
		if err := create(db, call.Targets); err != nil {
			return err
		}
	}
	own, other := rel.OwnerKey, rel.TargetKey
	if call.Inverse {
		own, other = other, own
	}
	owner := call.Owner.row().ID
	var there []uint
	none := rel.Rows(0, nil, false) // tells GORM the model
	err := db.Model(none).Where(own+" = ? AND "+other+" IN ?", owner, ids(call.Targets)).Pluck(other, &there).Error
	if err != nil {
		return err
	}
	linked := set(there)
	var missing []uint
	for _, id := range ids(call.Targets) {
		if !linked[id] {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return db.Create(rel.Rows(owner, missing, call.Inverse)).Error
}

// createMissing is the same pattern for the targets themselves.
func createMissing(db *gorm.DB, targets []Entity) error {
	var there []uint
	if err := db.Model(targets[0]).Where("id IN ?", ids(targets)).Pluck("id", &there).Error; err != nil {
		return err
	}
	stored := set(there)
	for _, target := range targets {
		if stored[target.row().ID] {
			continue
		}
		if err := db.Create(target).Error; err != nil {
			return fmt.Errorf("target %s: %w", target.row().Name, err)
		}
	}
	return nil
}

// createMissingNames is the same for targets that are known by their names: read
// which are there, insert the others.
func createMissingNames(db *gorm.DB, targets []Entity) error {
	names := make([]string, len(targets))
	for i, target := range targets {
		names[i] = target.row().Name
	}
	var there []Row
	if err := db.Model(targets[0]).Where("name IN ?", names).Find(&there).Error; err != nil {
		return err
	}
	stored := make(map[string]uint, len(there))
	for _, row := range there {
		stored[row.Name] = row.ID
	}
	for _, target := range targets {
		if target.row().ID = stored[target.row().Name]; target.row().ID != 0 {
			continue
		}
		if err := db.Create(target).Error; err != nil {
			return fmt.Errorf("target %s: %w", target.row().Name, err)
		}
	}
	return nil
}

func ids(rows []Entity) []uint {
	all := make([]uint, len(rows))
	for i, r := range rows {
		all[i] = r.row().ID
	}
	return all
}

func set(ids []uint) map[uint]bool {
	all := make(map[uint]bool, len(ids))
	for _, id := range ids {
		all[id] = true
	}
	return all
}
