package lab

import (
	"math/rand/v2"

	"gorm.io/gorm"
)

// raceExperiments are about several writers with several targets a call.
func raceExperiments() []*Experiment {
	// A deadlock costs PostgreSQL's deadlock_timeout, a second, and one round can
	// have one for each writer: few rounds take long already.
	rounds := func(s Size) int { return s.pick(20, 4) }
	return []*Experiment{
		{
			Name:     "shuffled",
			About:    "All writers append the same 200 stored targets to one owner, each in an order of its own.",
			Asked:    "#3862, #6109",
			Relation: published(),
			Setup:    library(1, 200),
			Rounds:   rounds,
			Calls: func(rng *rand.Rand, size Size) [][]Append {
				return writers(size, func(int) []Append {
					return []Append{{Owner: publication(1), Targets: targets(shuffled(rng, 200), article)}}
				})
			},
		},
		{
			Name: "both-sides",
			About: "Half of the writers append 40 articles to publications, the other half 40 publications " +
				"to articles: the same join rows from both sides at once.",
			Asked:    "#3862, #6109",
			Relation: published(),
			Setup:    library(40, 40),
			Rounds:   rounds,
			Calls: func(rng *rand.Rand, size Size) [][]Append {
				return writers(size, func(w int) []Append {
					var calls []Append
					for _, n := range shuffled(rng, 40)[:5] {
						call := Append{Owner: publication(n), Targets: targets(shuffled(rng, 40), article)}
						if w%2 == 1 {
							call = Append{Owner: article(n), Targets: targets(shuffled(rng, 40), publication), Inverse: true}
						}
						calls = append(calls, call)
					}
					return calls
				})
			},
		},
		{
			Name: "new-targets",
			About: "Every writer appends the same 200 new targets, with primary keys of their own, " +
				"to an owner of its own, in an order of its own.",
			Asked: "#6253, #7441",
			Relation: func() Relation {
				r := published()
				r.NewTargets = true
				return r
			}(),
			Setup:  func(db *gorm.DB, s Size) error { return library(s.Writers, 0)(db, s) },
			Reset:  func(db *gorm.DB, _ Size) error { return empty(db, "article_publications", "articles") },
			Rounds: rounds,
			Calls: func(rng *rand.Rand, size Size) [][]Append {
				return writers(size, func(w int) []Append {
					return []Append{{Owner: publication(w + 1), Targets: targets(shuffled(rng, 200), article)}}
				})
			},
		},
	}
}
