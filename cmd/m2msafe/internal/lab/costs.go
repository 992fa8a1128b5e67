package lab

import (
	"math/rand/v2"
	"slices"

	"gorm.io/gorm"
)

// Student attends Courses by Attendances.
type Student struct {
	Row
	Courses []*Course `gorm:"many2many:attendances"`
}

// Course is what a Student attends.
type Course struct{ Row }

// Attendance has an ID of its own and a unique pair.
type Attendance struct {
	ID        uint `gorm:"primaryKey;autoIncrement"`
	StudentID uint `gorm:"uniqueIndex:attendance_pair"`
	CourseID  uint `gorm:"uniqueIndex:attendance_pair"`
}

// Post has Tags with hooks.
type Post struct {
	Row
	Tags []*Tag `gorm:"many2many:post_tags"`
}

// Tag notes each run of its create hooks in the database.
type Tag struct{ Row }

// PostTag is their join row, for the hand-written way.
type PostTag struct {
	PostID uint `gorm:"primaryKey"`
	TagID  uint `gorm:"primaryKey"`
}

// HookRun is one run of a Tag's hook.
type HookRun struct {
	ID   uint
	Hook string
}

// BeforeCreate and BeforeSave are the hooks; their rows are written in the
// call's own transaction.
func (*Tag) BeforeCreate(tx *gorm.DB) error { return hookRan(tx, "BeforeCreate") }

// BeforeSave is run by the same insert.
func (*Tag) BeforeSave(tx *gorm.DB) error { return hookRan(tx, "BeforeSave") }

func hookRan(tx *gorm.DB, hook string) error {
	return tx.Session(&gorm.Session{NewDB: true}).Create(&HookRun{Hook: hook}).Error
}

// costExperiments are about what a call costs that has little or nothing to do.
func costExperiments() []*Experiment {
	attended := Relation{
		Field: "Courses", OwnerTable: "students", OwnerKey: "student_id", TargetTable: "courses", TargetKey: "course_id",
		JoinTable: "attendances",
		Rows:      rowsOf(func(student, course uint) Attendance { return Attendance{StudentID: student, CourseID: course} }),
	}
	tagged := Relation{
		Field: "Tags", OwnerTable: "posts", OwnerKey: "post_id", TargetTable: "tags", TargetKey: "tag_id",
		JoinTable: "post_tags",
		Rows:      rowsOf(func(post, tag uint) PostTag { return PostTag{PostID: post, TagID: tag} }),
	}
	return []*Experiment{
		{
			Name:     "many",
			About:    "One Append of 40,000 stored targets.",
			Asked:    "#3593, #3917, #6209",
			Relation: published(),
			Setup:    library(1, 40_000),
			Rounds:   always(1),
			Calls: func(_ *rand.Rand, _ Size) [][]Append {
				return [][]Append{{{Owner: publication(1), Targets: targets(upTo(40_000), article)}}}
			},
		},
		{
			Name:     "sequence",
			About:    "The join model has an ID of its own and a unique pair. The same stored link is appended 1,000 times.",
			Asked:    "#7295",
			Relation: attended,
			Setup: func(db *gorm.DB, s Size) error {
				if err := joined(&Student{}, &Course{}, &Attendance{}, attended, 1, 1)(db, s); err != nil {
					return err
				}
				return db.Exec(`INSERT INTO attendances (student_id, course_id) VALUES (1, 1)`).Error
			},
			Reset:  func(*gorm.DB, Size) error { return nil }, // the link stays
			Rounds: always(1),
			Calls: func(_ *rand.Rand, size Size) [][]Append {
				return shared(size, 1000, func() Append {
					return Append{Owner: &Student{Row: named("s", 1)}, Targets: []Entity{&Course{Row: named("c", 1)}}}
				})
			},
			Effect: &Effect{Column: "moved", Name: "how far the sequence moved", Count: attendanceSequence},
		},
		{
			Name:     "hooks",
			About:    "The target has BeforeCreate and BeforeSave hooks and is stored and linked already. It is appended 200 times.",
			Asked:    "#3605, #6549, #6120",
			Relation: tagged,
			Setup: func(db *gorm.DB, _ Size) error {
				if err := db.AutoMigrate(&Post{}, &Tag{}, &HookRun{}); err != nil {
					return err
				}
				if err := seed(db, "posts", "p", 1); err != nil {
					return err
				}
				if err := seed(db, "tags", "t", 1); err != nil {
					return err
				}
				return db.Exec(`INSERT INTO post_tags (post_id, tag_id) VALUES (1, 1)`).Error
			},
			Reset:  func(*gorm.DB, Size) error { return nil },
			Rounds: always(1),
			Calls: func(_ *rand.Rand, size Size) [][]Append {
				return shared(size, 200, func() Append {
					return Append{Owner: &Post{Row: named("p", 1)}, Targets: []Entity{&Tag{Row: named("t", 1)}}}
				})
			},
			Effect: &Effect{Column: "hooks", Name: "create hooks that ran", Count: func(db *gorm.DB) (n int64, err error) {
				err = db.Model(&HookRun{}).Count(&n).Error
				return n, err
			}},
		},
	}
}

// shared deals n calls out to the writers.
func shared(size Size, n int, call func() Append) [][]Append {
	all := make([]Append, n)
	for i := range all {
		all[i] = call()
	}
	return slices.Collect(slices.Chunk(all, (n+size.Writers-1)/size.Writers))
}

// attendanceSequence is how far the IDs of attendances have been counted.
func attendanceSequence(db *gorm.DB) (n int64, err error) {
	query := `SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'attendances'`
	if db.Name() == Postgres {
		query = `SELECT last_value FROM attendances_id_seq`
	}
	err = db.Raw(query).Scan(&n).Error
	return n, err
}
