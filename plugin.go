package m2msafe

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe/internal/dialect"
)

// pluginName is what db.Use registers the plugin under.
const pluginName = "m2msafe"

// Plugin is the gorm.Plugin that [New] makes. It is safe for concurrent use,
// and one Plugin may serve several *gorm.DB.
type Plugin struct {
	settings settings
	plans    *plans
	err      error // refused options; Initialize returns it
}

var _ gorm.Plugin = (*Plugin)(nil)

// New makes the plugin for db.Use. opts are the defaults of the app; see
// [With] for single calls. New never fails: a refused option ([ErrOption]) is
// the error of db.Use.
func New(opts ...Option) *Plugin {
	s, err := settings{noUniqueKey: Lock, deletedLinks: Revive, deletedTargets: Refuse, unknownDatabase: Ignore, retries: defaultRetries, chunk: defaultChunk}.apply(false, opts)
	return &Plugin{settings: s, plans: new(plans), err: err}
}

// settingsOf are the options that a session's calls follow.
func settingsOf(db *gorm.DB) *settings { return &db.Plugins[pluginName].(*Plugin).settings }

// Name is "m2msafe".
func (p *Plugin) Name() string { return pluginName }

// Initialize registers the plugin's callbacks with db; db.Use calls it. It
// returns [ErrOption] for a refused option, [ErrUnsupportedDatabase] for a
// dialect that the plugin has no statements for if [UnknownDatabase] says so, and,
// named and joined, what GORM says of the callbacks. db.Use itself returns
// gorm.ErrRegistered the second time.
func (p *Plugin) Initialize(db *gorm.DB) error {
	if p == nil || p.plans == nil {
		return fmt.Errorf("%w: make the plugin with m2msafe.New", ErrOption)
	}
	if p.err != nil {
		return p.err
	}
	if dialectOf(db) == nil {
		if p.settings.unknownDatabase == Refuse {
			return unsupported(db)
		}
		db.Logger.Warn(context.Background(), "%v: its many-to-many writes are left to stock GORM", unsupported(db))
		return nil
	}
	return register(db)
}

// dialectOf is the dialect of a db, before it is known what is behind it; nil if
// there is none.
func dialectOf(db *gorm.DB) dialect.Dialect { return dialect.Of(db.Dialector.Name()) }

func unsupported(db *gorm.DB) error {
	return fmt.Errorf("%w: %q", ErrUnsupportedDatabase, db.Dialector.Name())
}

// UnknownDatabase says what db.Use does with a GORM dialect that the plugin has no
// statements for. For [New] only.
//
// [Ignore], the default: db.Use succeeds, warns through GORM's logger, and leaves
// many-to-many writes to stock GORM; calls made through [With] fail with
// [ErrUnsupportedDatabase].
//
// [Refuse]: db.Use fails with [ErrUnsupportedDatabase].
func UnknownDatabase(p Policy) Option {
	return func(s *settings) error {
		if p != Ignore && p != Refuse {
			return fmt.Errorf("%w: UnknownDatabase takes Ignore or Refuse", ErrOption)
		}
		if s.perCall {
			return fmt.Errorf("%w: UnknownDatabase belongs to New: With comes after db.Use", ErrOption)
		}
		s.unknownDatabase = p
		return s.once("UnknownDatabase")
	}
}
