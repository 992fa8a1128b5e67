package lab

import (
	"math/rand/v2"

	"gorm.io/gorm"
)

// Each experiment below has models of its own: GORM keeps one join table a
// relation, and SetupJoinTable sets it for good.

// User is in Teams by Memberships that are deleted softly.
type User struct {
	Row
	Teams []*Team `gorm:"many2many:memberships"`
}

// Team is what a User is in.
type Team struct{ Row }

// Membership keeps its pair's primary key while it is deleted.
type Membership struct {
	UserID    uint `gorm:"primaryKey"`
	TeamID    uint `gorm:"primaryKey"`
	DeletedAt gorm.DeletedAt
}

// Reader borrows Books by Loans.
type Reader struct {
	Row
	Books []*Book `gorm:"many2many:loans"`
}

// Book is what a Reader borrows.
type Book struct{ Row }

// Loan has an ID of its own and nothing that makes its pair unique.
type Loan struct {
	ID       uint
	ReaderID uint
	BookID   uint
}

// Guest books Seats by Bookings.
type Guest struct {
	Row
	Seats []*Seat `gorm:"many2many:bookings"`
}

// Seat can be booked once.
type Seat struct{ Row }

// Booking has a second unique key: one booking a seat.
type Booking struct {
	GuestID uint `gorm:"primaryKey"`
	SeatID  uint `gorm:"primaryKey;uniqueIndex"`
}

// joined makes the tables of a relation with a declared join model, and stores
// rows of both sides.
func joined(owner, target, join any, rel Relation, owners, targets int) func(*gorm.DB, Size) error {
	return func(db *gorm.DB, _ Size) error {
		if err := db.SetupJoinTable(owner, rel.Field, join); err != nil {
			return err
		}
		if err := db.AutoMigrate(owner, target, join); err != nil {
			return err
		}
		if err := seed(db, rel.OwnerTable, rel.OwnerTable[:1], owners); err != nil {
			return err
		}
		return seed(db, rel.TargetTable, rel.TargetTable[:1], targets)
	}
}

func reader(n int) *Reader { return &Reader{Row: named("r", n)} }
func book(n int) *Book     { return &Book{Row: named("b", n)} }

func borrowed() Relation {
	return Relation{
		Field: "Books", OwnerTable: "readers", OwnerKey: "reader_id", TargetTable: "books", TargetKey: "book_id",
		JoinTable: "loans",
		Rows:      rowsOf(func(reader, book uint) Loan { return Loan{ReaderID: reader, BookID: book} }),
	}
}

// sameLoans has every writer append the same 25 links, one a call, at the same
// time.
func sameLoans(_ *rand.Rand, size Size) [][]Append {
	return writers(size, func(int) []Append {
		var calls []Append
		for n := range 25 {
			calls = append(calls, Append{Owner: reader(1), Targets: []Entity{book(n + 1)}})
		}
		return calls
	})
}

func joinTableExperiments() []*Experiment {
	memberships := Relation{
		Field: "Teams", OwnerTable: "users", OwnerKey: "user_id", TargetTable: "teams", TargetKey: "team_id",
		JoinTable: "memberships", Live: "j.deleted_at IS NULL",
		Rows: rowsOf(func(user, team uint) Membership { return Membership{UserID: user, TeamID: team} }),
	}
	bookings := Relation{
		Field: "Seats", OwnerTable: "guests", OwnerKey: "guest_id", TargetTable: "seats", TargetKey: "seat_id",
		JoinTable: "bookings",
		Rows:      rowsOf(func(guest, seat uint) Booking { return Booking{GuestID: guest, SeatID: seat} }),
	}
	return []*Experiment{
		{
			Name:     "soft-delete",
			About:    "The join model has gorm.DeletedAt. All 25 links were deleted; every writer appends them again. Only living links count.",
			Asked:    "#4646, #3839, #6836",
			Relation: memberships,
			Setup:    joined(&User{}, &Team{}, &Membership{}, memberships, 1, 25),
			Reset:    deletedMemberships,
			Rounds:   func(s Size) int { return s.pick(10, 2) },
			Calls: func(_ *rand.Rand, size Size) [][]Append {
				return writers(size, func(int) []Append {
					var calls []Append
					for n := range 25 {
						calls = append(calls, Append{
							Owner: &User{Row: named("u", 1)}, Targets: []Entity{&Team{Row: named("t", n+1)}},
						})
					}
					return calls
				})
			},
		},
		{
			Name:     "no-key",
			About:    "The join model has an ID of its own and no unique key on the pair. Every writer appends the same 25 links.",
			Asked:    "#6581, #4448",
			Relation: borrowed(),
			Setup:    joined(&Reader{}, &Book{}, &Loan{}, borrowed(), 1, 25),
			Rounds:   func(s Size) int { return s.pick(10, 2) },
			Calls:    sameLoans,
		},
		{
			Name: "second-key",
			About: "A seat can be booked once: the join row has a second unique key. Every writer, a guest, books all 20 seats. " +
				"The right answer to those who come second is an error.",
			Asked:    "#5154, #6450",
			Relation: bookings,
			Setup: func(db *gorm.DB, s Size) error {
				return joined(&Guest{}, &Seat{}, &Booking{}, bookings, s.Writers, 20)(db, s)
			},
			Rounds: func(s Size) int { return s.pick(10, 2) },
			Calls: func(rng *rand.Rand, size Size) [][]Append {
				return writers(size, func(w int) []Append {
					var calls []Append
					for _, n := range shuffled(rng, 20) {
						calls = append(calls, Append{
							Owner: &Guest{Row: named("g", w+1)}, Targets: []Entity{&Seat{Row: named("s", n)}},
						})
					}
					return calls
				})
			},
			Expected: KindUnique,
			Links:    always(20),
		},
		{
			Name:     "deferrable",
			About:    "The pair's unique constraint is DEFERRABLE. Every writer appends the same 25 links.",
			Relation: borrowed(),
			Setup: func(db *gorm.DB, s Size) error {
				if err := joined(&Reader{}, &Book{}, &Loan{}, borrowed(), 1, 25)(db, s); err != nil {
					return err
				}
				return db.Exec(`ALTER TABLE loans ADD CONSTRAINT loans_pair UNIQUE (reader_id, book_id) DEFERRABLE`).Error
			},
			Rounds: func(s Size) int { return s.pick(10, 2) },
			Calls:  sameLoans,
			Only:   Postgres,
			Reason: "SQLite has no deferrable unique constraints",
		},
	}
}

// deletedMemberships stores all memberships and deletes them, softly, by GORM's
// own Association.Delete.
func deletedMemberships(db *gorm.DB, _ Size) error {
	if err := empty(db, "memberships"); err != nil {
		return err
	}
	if err := db.Exec(`INSERT INTO memberships (user_id, team_id) SELECT u.id, t.id FROM users u, teams t`).Error; err != nil {
		return err
	}
	var teams []*Team
	if err := db.Find(&teams).Error; err != nil {
		return err
	}
	return db.Model(&User{Row: named("u", 1)}).Association("Teams").Delete(teams)
}
