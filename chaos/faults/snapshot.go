package faults

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// snapshot is all that the database holds.
type snapshot struct {
	keys  map[string]map[string][]uint // of owners, labels and notes, by table and by tag or name
	names map[string]map[uint]string   // the other way round
	pairs map[string]map[pair]int      // how often, by join table
	by    map[string]map[uint][]uint   // targets, by join table and owner
}

// pair is an owner's key and a target's.
type pair struct{ owner, target uint }

// joins are the join tables, with the column of their target.
var joins = []struct{ table, target string }{{ownerLabels, "label_id"}, {ownerNotes, "note_id"}, {ownerMarks, "label_id"}}

// targetsOf is the table that the targets of a join table stand in.
func targetsOf(join string) string {
	if join == ownerNotes {
		return notes
	}
	return labels
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// read reads the tables by plain SQL.
func read(ctx context.Context, db querier) (*snapshot, error) {
	s := &snapshot{
		keys: map[string]map[string][]uint{}, names: map[string]map[uint]string{},
		pairs: map[string]map[pair]int{}, by: map[string]map[uint][]uint{},
	}
	each := func(query string, f func(rows *sql.Rows) error) error {
		rows, err := db.QueryContext(ctx, query)
		if err != nil {
			return fmt.Errorf("faults: %s: %w", query, err)
		}
		defer rows.Close()
		for rows.Next() {
			if err := f(rows); err != nil {
				return fmt.Errorf("faults: %s: %w", query, err)
			}
		}
		return rows.Err()
	}
	for table, column := range map[string]string{owners: "tag", labels: "name", notes: "tag"} {
		s.keys[table], s.names[table] = map[string][]uint{}, map[uint]string{}
		if err := each("SELECT id, "+column+" FROM "+table, func(rows *sql.Rows) error {
			var id uint
			var name string
			err := rows.Scan(&id, &name)
			s.keys[table][name] = append(s.keys[table][name], id)
			s.names[table][id] = name
			return err
		}); err != nil {
			return nil, err
		}
	}
	for _, j := range joins {
		s.pairs[j.table], s.by[j.table] = map[pair]int{}, map[uint][]uint{}
		if err := each("SELECT owner_id, "+j.target+" FROM "+j.table+" ORDER BY 1, 2", func(rows *sql.Rows) error {
			var p pair
			err := rows.Scan(&p.owner, &p.target)
			if s.pairs[j.table][p]++; s.pairs[j.table][p] == 1 {
				s.by[j.table][p.owner] = append(s.by[j.table][p.owner], p.target)
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// of are the targets of an owner, in the order of their keys.
func (s *snapshot) of(join string, owner uint) []uint { return s.by[join][owner] }

// find is the key of a row.
func (s *snapshot) find(table string, r ref) (uint, bool) {
	if r.name == "" {
		return r.id, r.id != 0
	}
	if ids := s.keys[table][r.name]; len(ids) > 0 {
		return ids[0], true
	}
	return 0, false
}

// pairOf is the pair of a join row, if both its ends are stored.
func (s *snapshot) pairOf(f fact) (pair, bool) {
	owner, ok := s.find(owners, f.owner)
	target, also := s.find(targetsOf(f.table), f.target)
	return pair{owner, target}, ok && also
}

// has says whether a row is stored.
func (s *snapshot) has(f fact) bool {
	if f.owner == (ref{}) {
		_, ok := s.find(f.table, f.target)
		return ok
	}
	p, ok := s.pairOf(f)
	return ok && s.pairs[f.table][p] > 0
}

// count says how many of a unit's rows are stored; of those that are its own alone,
// if so asked.
func (s *snapshot) count(u unit, own bool) (there, all int) {
	for _, f := range u {
		if own && !f.own {
			continue
		}
		all++
		if s.has(f) {
			there++
		}
	}
	return there, all
}

// missing are the rows of a unit that are not stored.
func (s *snapshot) missing(u unit) (list []string) {
	for _, f := range u {
		if !s.has(f) {
			list = append(list, f.String())
		}
	}
	return list
}

// pairsOf are the targets of a unit's join rows, sorted.
func (s *snapshot) pairsOf(u unit) []uint {
	var list []uint
	for _, f := range u {
		if p, ok := s.pairOf(f); ok {
			list = append(list, p.target)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
