package lab

import (
	"gorm.io/gorm"
)

// pair is a link by the names of its two rows.
type pair struct{ owner, target string }

// seen is a row as a call left it in memory.
type seen struct {
	table string
	Row
}

// asked is what the calls of a round come to.
type asked struct {
	promised  map[pair]struct{} // asked for in calls that returned nil
	mentioned map[pair]struct{} // asked for in any call
	seen      map[seen]struct{} // what those that returned nil left in memory
}

func newAsked() *asked {
	return &asked{promised: map[pair]struct{}{}, mentioned: map[pair]struct{}{}, seen: map[seen]struct{}{}}
}

// add notes a call and whether it returned nil.
func (a *asked) add(rel *Relation, call Append, ok bool) {
	ownerTable, targetTable := rel.OwnerTable, rel.TargetTable
	if call.Inverse {
		ownerTable, targetTable = targetTable, ownerTable
	}
	for _, target := range call.Targets {
		p := pair{call.Owner.row().Name, target.row().Name}
		if call.Inverse {
			p = pair{p.target, p.owner}
		}
		a.mentioned[p] = struct{}{}
		if ok {
			a.promised[p] = struct{}{}
			a.seen[seen{targetTable, *target.row()}] = struct{}{}
		}
	}
	if ok {
		a.seen[seen{ownerTable, *call.Owner.row()}] = struct{}{}
	}
}

// Damage is what is wrong in the database, and in memory by its word.
type Damage struct {
	Duplicates int `json:"duplicates"` // living join rows beyond the first of their pair
	Lost       int `json:"lost"`       // pairs promised, or required, and not linked
	Wrong      int `json:"wrong"`      // join rows nobody asked for, rows in memory with another row's ID
}

// inspect compares what the database holds with what was asked for. links is
// how many links there must be at least, whatever the calls returned.
func inspect(db *gorm.DB, rel *Relation, a *asked, links int) (Damage, error) {
	var d Damage
	stored, err := storedPairs(db, rel)
	if err != nil {
		return d, err
	}
	living := 0
	for p, n := range stored {
		if _, ok := a.mentioned[p]; !ok {
			d.Wrong += n
			continue
		}
		living++
		d.Duplicates += n - 1
	}
	for p := range a.promised {
		if stored[p] == 0 {
			d.Lost++
		}
	}
	d.Lost = max(d.Lost, links-living)
	for _, table := range []string{rel.OwnerTable, rel.TargetTable} {
		ids, err := storedIDs(db, table)
		if err != nil {
			return d, err
		}
		for s := range a.seen {
			if s.table == table && ids[s.Name] != s.ID {
				d.Wrong++
			}
		}
	}
	return d, nil
}

// storedPairs counts the living join rows of each pair. A row that points at
// nothing is a pair with an empty name.
func storedPairs(db *gorm.DB, rel *Relation) (map[pair]int, error) {
	query := "SELECT COALESCE(o.name, ''), COALESCE(t.name, ''), COUNT(*) FROM " + rel.JoinTable + " j" +
		" LEFT JOIN " + rel.OwnerTable + " o ON o.id = j." + rel.OwnerKey +
		" LEFT JOIN " + rel.TargetTable + " t ON t.id = j." + rel.TargetKey
	if rel.Live != "" {
		query += " WHERE " + rel.Live
	}
	rows, err := db.Raw(query + " GROUP BY 1, 2").Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	stored := map[pair]int{}
	for rows.Next() {
		var p pair
		var n int
		if err := rows.Scan(&p.owner, &p.target, &n); err != nil {
			return nil, err
		}
		stored[p] += n
	}
	return stored, rows.Err()
}

// storedIDs is each stored row's ID by its name.
func storedIDs(db *gorm.DB, table string) (map[string]uint, error) {
	rows, err := db.Raw("SELECT id, name FROM " + table).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	ids := map[string]uint{}
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.ID, &r.Name); err != nil {
			return nil, err
		}
		ids[r.Name] = r.ID
	}
	return ids, rows.Err()
}
