package lab

import (
	"math/rand/v2"

	"gorm.io/gorm"
)

// Article and Publication are the models of the question that the project comes
// from. They have no UpdatedAt: with one, GORM's UPDATE of the owner would
// serialize the writers of one owner, and hide what this lab is about.
type Article struct {
	Row
	Publications []*Publication `gorm:"many2many:article_publications"`
}

// Publication is the other side.
type Publication struct {
	Row
	Articles []*Article `gorm:"many2many:article_publications"`
}

// ArticlePublication is their join row, which only the hand-written way names.
type ArticlePublication struct {
	ArticleID     uint `gorm:"primaryKey"`
	PublicationID uint `gorm:"primaryKey"`
}

func article(n int) *Article         { return &Article{Row: named("a", n)} }
func publication(n int) *Publication { return &Publication{Row: named("p", n)} }

// published is the relation Publication.Articles on an implicit join table.
func published() Relation {
	return Relation{
		Field: "Articles", Inverse: "Publications",
		OwnerTable: "publications", OwnerKey: "publication_id",
		TargetTable: "articles", TargetKey: "article_id",
		JoinTable: "article_publications",
		Rows: rowsOf(func(pub, article uint) ArticlePublication {
			return ArticlePublication{ArticleID: article, PublicationID: pub}
		}),
	}
}

// library makes the tables of Article and Publication and stores rows of both.
func library(publications, articles int) func(*gorm.DB, Size) error {
	return func(db *gorm.DB, _ Size) error {
		if err := db.AutoMigrate(&Article{}, &Publication{}); err != nil {
			return err
		}
		if err := seed(db, "publications", "p", publications); err != nil || articles == 0 {
			return err
		}
		return seed(db, "articles", "a", articles)
	}
}

func originExperiments() []*Experiment {
	return []*Experiment{{
		Name: "origin",
		About: "The 2016 question: every writer picks one of 2 publications, 4 times, and for each appends " +
			"one of 15 articles, 4 times. Each of the rounds starts from an empty join table, for only new links can race.",
		Relation: published(),
		Setup:    library(100, 100),
		Rounds:   func(s Size) int { return s.pick(99, 20) },
		Calls: func(rng *rand.Rand, size Size) [][]Append {
			return writers(size, func(int) []Append {
				var calls []Append
				for range 4 {
					pub := 1 + rng.IntN(2)
					for range 4 {
						calls = append(calls, Append{
							Owner: publication(pub), Targets: []Entity{article(1 + rng.IntN(15))},
						})
					}
				}
				return calls
			})
		},
	}}
}
