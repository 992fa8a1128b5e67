package m2msafe

import (
	"fmt"
	"reflect"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// bulk is a call of LinkPairs.
type bulk struct {
	links
	scratch element          // an owner and a target that each pair's keys pass through
	asked   [][2]any         // the chunk's keys, as given
	arrays  []*dialect.Array // the same, in the order of plan.refs, if a chunk is one insert
	done    Progress
}

func newBulk(tx *gorm.DB, model any, relation string) (*bulk, error) {
	if tx.Error != nil {
		return nil, tx.Error
	}
	rel, err := relationOf(tx, model, relation)
	if err != nil {
		return nil, err
	}
	tx = tx.Session(&gorm.Session{Initialized: true})
	if narrowed(tx.Statement) {
		return nil, fmt.Errorf("%w: LinkPairs takes a db without conditions, Scopes, Limit, Select, Omit or Table", ErrOption)
	}
	if err := tx.Statement.Parse(model); err != nil {
		return nil, err
	}
	resolve(tx)
	plugin := tx.Plugins[pluginName].(*Plugin)
	if plugin.settings.off {
		return nil, fmt.Errorf("%w: Off leaves nothing for LinkPairs to do", ErrOption)
	}
	b := &bulk{
		links: *newLinks(tx, &taken{settings: &plugin.settings, plans: plugin.plans}, rel),
		scratch: element{
			owner:  reflect.New(rel.Schema.ModelType).Elem(),
			target: reflect.New(rel.FieldSchema.ModelType),
		},
	}
	if err := b.planned(); err != nil {
		return nil, err
	}
	if b.settings.through != nil {
		if err := b.throughFits(); err != nil {
			return nil, b.fail(ErrOption, err, "")
		}
	}
	b.start()
	return b, nil
}

// oneInsert says whether a chunk may be a transaction of one insert, to which
// nothing can happen but what the caller would have to mend: its conflicts are
// the pair's own and passed over, and foreign keys find ends that are not stored.
func (b *bulk) oneInsert() bool {
	_, linker := b.plan.dialect.(dialect.Linker)
	loose := func(s dialect.Side) bool { return s.Check && !s.Bound }
	return linker && !inside(b.db) && !b.db.DryRun && !b.plan.link.Guarded && !b.plan.link.Dead && !b.hooked() &&
		!loose(b.plan.link.Owner) && !loose(b.plan.link.Target) &&
		b.settings.report == nil && b.settings.onLinked == nil
}

// start begins a chunk.
func (b *bulk) start() {
	size := min(b.settings.chunk, defaultChunk)
	if b.asked == nil {
		b.asked = make([][2]any, 0, size)
	}
	b.asked, b.arrays = b.asked[:0], nil
	if !b.oneInsert() {
		return
	}
	b.arrays = make([]*dialect.Array, len(b.plan.refs))
	for i, ref := range b.plan.refs {
		if ref.PrimaryKey != nil {
			b.arrays[i] = dialect.NewArray(b.plan.link.Refs[i], size)
		}
	}
}
