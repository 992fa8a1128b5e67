package lab

import (
	"math/rand/v2"

	"gorm.io/gorm"
)

// Story has Topics, which are known by their names: the table of topics has a
// unique key on them, and what a writer appends has a name and no ID.
type Story struct {
	Row
	Topics []*Topic `gorm:"many2many:story_topics"`
}

// Topic is what a Story has.
type Topic struct{ Row }

// StoryTopic is their join row, for the hand-written way.
type StoryTopic struct {
	StoryID uint `gorm:"primaryKey"`
	TopicID uint `gorm:"primaryKey"`
}

// topic is the n-th topic by its name alone.
func topic(n int) *Topic { return &Topic{Row: Row{Name: named("t", n).Name}} }

func story(n int) *Story { return &Story{Row: named("s", n)} }

// topics makes the tables, with a story for each writer and so many topics.
// Without foreign keys nothing stops a link to another row, or to none.
func topics(foreignKeys bool, n int) func(*gorm.DB, Size) error {
	return func(db *gorm.DB, s Size) error {
		tx := db.Session(&gorm.Session{})
		tx.Config.DisableForeignKeyConstraintWhenMigrating = !foreignKeys
		if err := tx.AutoMigrate(&Story{}, &Topic{}); err != nil {
			return err
		}
		if err := db.Exec(`CREATE UNIQUE INDEX topics_name ON topics (name)`).Error; err != nil {
			return err
		}
		if err := seed(db, "stories", "s", s.Writers); err != nil {
			return err
		}
		return storedTopics(n)(db, s)
	}
}

// storedTopics leaves so many topics, and no links.
func storedTopics(n int) func(*gorm.DB, Size) error {
	return func(db *gorm.DB, _ Size) error {
		if err := empty(db, "story_topics", "topics"); err != nil || n == 0 {
			return err
		}
		return seed(db, "topics", "t", n)
	}
}

// naturalKeyExperiments are about targets that are known by a unique name.
func naturalKeyExperiments() []*Experiment {
	told := Relation{
		Field: "Topics", OwnerTable: "stories", OwnerKey: "story_id", TargetTable: "topics", TargetKey: "topic_id",
		JoinTable: "story_topics", NewTargets: true, ByName: true,
		Rows: rowsOf(func(story, topic uint) StoryTopic { return StoryTopic{StoryID: story, TopicID: topic} }),
	}
	// own are topics of one writer's call, so that nobody else is in the way.
	own := func(writer, call int) int { return 1000*(writer+1) + 10*call }
	return []*Experiment{
		{
			Name:     "by-name",
			About:    "Topics have a unique name. Every writer appends 25 that are stored, each by its name alone, one a call.",
			Asked:    "#6360, #3296, #6985",
			Relation: told,
			Setup:    topics(true, 25),
			Rounds:   func(s Size) int { return s.pick(10, 2) },
			Calls: func(rng *rand.Rand, size Size) [][]Append {
				return writers(size, func(w int) []Append {
					var calls []Append
					for _, n := range shuffled(rng, 25) {
						calls = append(calls, Append{Owner: story(w + 1), Targets: []Entity{topic(n)}})
					}
					return calls
				})
			},
		},
		{
			Name: "mixed",
			About: "Each call has three stored names and three new ones, shuffled. There are no foreign keys here, as in an app that " +
				"migrates without them: with them stock GORM fails where it mixes up IDs here.",
			Asked:    "#7029, #6047, #7393, #5192",
			Relation: told,
			Setup:    topics(false, 25),
			Reset:    storedTopics(25),
			Rounds:   func(s Size) int { return s.pick(10, 2) },
			Calls: func(rng *rand.Rand, size Size) [][]Append {
				return writers(size, func(w int) []Append {
					var calls []Append
					for i := range 5 {
						first := own(w, i)
						names := append(shuffled(rng, 25)[:3], first, first+1, first+2)
						rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
						calls = append(calls, Append{Owner: story(w + 1), Targets: targets(names, topic)})
					}
					return calls
				})
			},
		},
		{
			Name:     "names",
			About:    "Every writer appends the same 50 new names, one a call, to an owner of its own.",
			Asked:    "#6253, #7441",
			Relation: told,
			Setup:    topics(true, 0),
			Reset:    storedTopics(0),
			Rounds:   func(s Size) int { return s.pick(10, 1) },
			Calls: func(_ *rand.Rand, size Size) [][]Append {
				return writers(size, func(w int) []Append {
					var calls []Append
					for _, n := range upTo(50) {
						calls = append(calls, Append{Owner: story(w + 1), Targets: []Entity{topic(n)}})
					}
					return calls
				})
			},
		},
		{
			Name:     "equal",
			About:    "Each call has the same new name twice, in two elements.",
			Asked:    "#5007, #4796",
			Relation: told,
			Setup:    topics(true, 0),
			Reset:    storedTopics(0),
			Rounds:   func(s Size) int { return s.pick(10, 2) },
			Calls: func(_ *rand.Rand, size Size) [][]Append {
				return writers(size, func(w int) []Append {
					var calls []Append
					for i := range 10 {
						calls = append(calls, Append{Owner: story(w + 1), Targets: []Entity{topic(own(w, i)), topic(own(w, i))}})
					}
					return calls
				})
			},
		},
		{
			Name:     "maps",
			About:    `Every writer appends 25 stored topics as maps: Append(map[string]any{"name": …}), one a call.`,
			Relation: told,
			Setup:    topics(true, 25),
			Rounds:   func(s Size) int { return s.pick(10, 2) },
			Calls: func(rng *rand.Rand, size Size) [][]Append {
				return writers(size, func(w int) []Append {
					var calls []Append
					for _, n := range shuffled(rng, 25) {
						calls = append(calls, Append{Owner: story(w + 1), Targets: []Entity{topic(n)}, Maps: true})
					}
					return calls
				})
			},
		},
	}
}
