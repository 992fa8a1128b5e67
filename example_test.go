package m2msafe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/m2msafe/m2msafe"
	"github.com/m2msafe/m2msafe/internal/pgtest"
)

// User and Group are linked by Membership rows, which have a column of their
// own.
type User struct {
	ID     uint
	Name   string
	Groups []Group `gorm:"many2many:memberships"`
}

// Group is the other side.
type Group struct {
	ID   uint
	Name string
}

// Membership is the join model.
type Membership struct {
	UserID  uint   `gorm:"primaryKey"`
	GroupID uint   `gorm:"primaryKey"`
	Role    string `gorm:"default:member"`
}

func Example() {
	db, done := exampleDB()
	defer done()

	if err := db.Use(m2msafe.New()); err != nil {
		log.Fatal(err)
	}

	// Eight requests at once; the models and the calls are GORM's.
	var requests sync.WaitGroup
	for range 8 {
		requests.Go(func() {
			user, group := User{ID: 1}, Group{ID: 1}
			if err := db.Model(&user).Association("Groups").Append(&group); err != nil {
				log.Fatal(err)
			}
		})
	}
	requests.Wait()

	var rows int64
	db.Table("memberships").Count(&rows)
	fmt.Println(rows, "row")
	// Output: 1 row
}

// The values reach the rows that the call inserts; a stored row keeps its own.
func ExampleThrough() {
	db, done := exampleDB()
	defer done()
	_ = db.SetupJoinTable(&User{}, "Groups", &Membership{})
	_ = db.Use(m2msafe.New())

	user := User{ID: 1}
	admin := m2msafe.With(db, m2msafe.Through(Membership{Role: "admin"}))
	_ = db.Model(&user).Association("Groups").Append(&Group{ID: 1})
	_ = admin.Model(&user).Association("Groups").Append(&Group{ID: 1}, &Group{ID: 2})

	var memberships []Membership
	db.Order("group_id").Find(&memberships)
	for _, m := range memberships {
		fmt.Println(m.GroupID, m.Role)
	}
	// Output:
	// 1 member
	// 2 admin
}

// Which links are new, and which were there: of many writers exactly one is
// told "created".
func ExampleReportTo() {
	db, done := exampleDB()
	defer done()
	_ = db.Use(m2msafe.New())
	user := User{ID: 1}
	_ = db.Model(&user).Association("Groups").Append(&Group{ID: 1})

	var report m2msafe.Report
	tx := m2msafe.With(db, m2msafe.ReportTo(&report))
	if err := tx.Model(&user).Association("Groups").Append(&Group{ID: 2}); err != nil {
		log.Fatal(err)
	}
	for _, link := range report.Links() {
		fmt.Println(link.Relation, link.OwnerKey, link.TargetKey, link.Outcome)
	}
	// Output:
	// User.Groups [1] [1] existing
	// User.Groups [1] [2] created
}

// The event is told of new links only, and is part of the call's transaction:
// here each new membership is written down with it, or neither is.
func ExampleOnLinked() {
	db, done := exampleDB()
	defer done()
	db.Exec(`CREATE TABLE audit (what text)`)

	_ = db.Use(m2msafe.New(m2msafe.OnLinked(func(tx *gorm.DB, event m2msafe.Event) error {
		for _, link := range event.Links {
			what := fmt.Sprintf("user %v joins group %v", link.OwnerKey[0], link.TargetKey[0])
			if err := tx.Exec(`INSERT INTO audit VALUES (?)`, what).Error; err != nil {
				return err // and the links are not written either
			}
		}
		return nil
	})))

	for range 3 {
		_ = db.Model(&User{ID: 1}).Association("Groups").Append(&Group{ID: 2})
	}

	var audit []string
	db.Table("audit").Pluck("what", &audit)
	fmt.Println(audit)
	// Output: [user 1 joins group 2]
}

// A join table without a unique key on the pair is refused, with the statement
// that mends it, instead of being linked under a lock.
func ExampleNoUniqueKey() {
	db, done := exampleDB()
	defer done()
	db.Exec(`ALTER TABLE memberships DROP CONSTRAINT memberships_pkey`)

	_ = db.Use(m2msafe.New(m2msafe.NoUniqueKey(m2msafe.Refuse)))
	err := db.Model(&User{ID: 1}).Association("Groups").Append(&Group{ID: 1})

	fmt.Println(errors.Is(err, m2msafe.ErrNoUniqueKey))
	var failed *m2msafe.LinkError
	if errors.As(err, &failed) {
		fmt.Println(failed.Advice)
	}
	// Output:
	// true
	// mend it with: CREATE UNIQUE INDEX "idx_memberships_group_id_user_id" ON "memberships" ("group_id", "user_id")
}

// The row with the model's unique key, stored or not: of several callers at the
// same time exactly one is told that it created it.
func ExampleGetOrCreate() {
	db, done := exampleDB()
	defer done()
	_ = db.Use(m2msafe.New())
	ctx := context.Background()

	for range 2 {
		membership := Membership{UserID: 1, GroupID: 2}
		created, err := m2msafe.GetOrCreate(ctx, db, &membership)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(created, membership.Role)
	}
	// Output:
	// true member
	// false member
}

// Keys are enough: neither the user nor the groups are loaded.
func ExampleLinkKeys() {
	db, done := exampleDB()
	defer done()
	_ = db.Use(m2msafe.New())
	ctx := context.Background()
	_ = db.Model(&User{ID: 1}).Association("Groups").Append(&Group{ID: 1})

	links, err := m2msafe.LinkKeys(ctx, db, &User{}, "Groups", 1, 1, 2)
	if err != nil {
		log.Fatal(err)
	}
	for _, link := range links {
		fmt.Println(link.TargetKey, link.Outcome)
	}
	// Output:
	// [1] existing
	// [2] created
}

func ExampleLinkPairs() {
	db, done := exampleDB()
	defer done()
	_ = db.Use(m2msafe.New())
	ctx := context.Background()

	// From a file, another database, a channel: whatever gives pairs of keys.
	members := func(yield func(user, group uint) bool) {
		_ = yield(1, 1) && yield(1, 2)
	}
	total, err := m2msafe.LinkPairs(ctx, db, &User{}, "Groups", members,
		m2msafe.ChunkSize(1),
		m2msafe.OnProgress(func(done m2msafe.Progress) error {
			fmt.Println(done.Pairs, "pairs,", done.Created, "of them new")
			return nil
		}))
	if err != nil {
		log.Fatal(err, "; to be continued at pair ", total.Pairs)
	}
	// Output:
	// 1 pairs, 1 of them new
	// 2 pairs, 2 of them new
}

// Customer is known by an e-mail address, and has a telephone number that
// nobody else has.
type Customer struct {
	ID    uint
	Email string `gorm:"uniqueIndex"`
	Phone string `gorm:"uniqueIndex"`
}

// Newsletter has Customers.
type Newsletter struct {
	ID        uint
	Customers []Customer `gorm:"many2many:subscriptions"`
}

// All of it is run again if it loses against another transaction.
func ExampleTransaction() {
	ctx := context.Background()
	db, done := exampleDB()
	defer done()
	_ = db.Use(m2msafe.New())

	var err error
	err = m2msafe.Transaction(ctx, db, func(tx *gorm.DB) error {
		var user User
		if err := tx.First(&user, 1).Error; err != nil {
			return err
		}
		if err := tx.Model(&user).Association("Groups").Append(&Group{Name: "new"}); err != nil {
			return err
		}
		return tx.Model(&user).Update("name", "ada").Error
	})
	if err != nil {
		log.Fatal(err)
	}

	var user User
	db.Preload("Groups").First(&user, 1)
	fmt.Println(user.Name, "is in", user.Groups[0].Name)
	// Output: ada is in new
}

// Two unique keys of one target may belong to two rows, which is an error.
// Where the app knows which of them says who somebody is, it names it.
func ExampleNaturalKey() {
	db, done := exampleDB()
	defer done()
	_ = db.AutoMigrate(&Newsletter{}, &Customer{})
	db.Create(&[]Customer{{Email: "ann@x.org", Phone: "1"}, {Email: "bob@x.org", Phone: "2"}})
	db.Create(&Newsletter{ID: 1})
	_ = db.Use(m2msafe.New(m2msafe.NaturalKey(&Customer{}, "Email")))

	ann := Customer{Email: "ann@x.org", Phone: "2"} // the telephone was Bob's
	if err := db.Model(&Newsletter{ID: 1}).Association("Customers").Append(&ann); err != nil {
		log.Fatal(err)
	}
	fmt.Println(ann.ID, ann.Phone)
	// Output: 1 1
}

// A LinkError says which links could not be written.
func ExampleLinkError() {
	db, done := exampleDB()
	defer done()
	_ = db.Use(m2msafe.New())

	user := User{ID: 1, Groups: []Group{{ID: 1}, {ID: 8}, {ID: 9}}}
	err := db.Omit("Groups.*").Updates(&user).Error // link only, create no groups

	var failed *m2msafe.LinkError
	if errors.As(err, &failed) {
		fmt.Println(failed.Relation, failed.Owner, failed.Targets)
	}
	fmt.Println(errors.Is(err, m2msafe.ErrTargetNotStored), errors.Is(err, gorm.ErrForeignKeyViolated))
	// Output:
	// User.Groups [1] [[8] [9]]
	// true true
}

// Off leaves one call to stock GORM.
func ExampleOff() {
	db, done := exampleDB()
	defer done()
	_ = db.Use(m2msafe.New(m2msafe.OnLinked(func(*gorm.DB, m2msafe.Event) error {
		fmt.Println("linked")
		return nil
	})))

	_ = m2msafe.With(db, m2msafe.Off()).Model(&User{ID: 1}).Association("Groups").Append(&Group{ID: 1})
	_ = db.Model(&User{ID: 1}).Association("Groups").Append(&Group{ID: 2})
	// Output: linked
}

// exampleDB has the user 1 and the groups 1 and 2 in a schema of its own.
func exampleDB() (db *gorm.DB, done func()) {
	tb := &exampleTB{}
	db, err := gorm.Open(postgres.Open(pgtest.DSN(tb)), &gorm.Config{Logger: logger.Discard})
	if err == nil {
		err = errors.Join(
			db.SetupJoinTable(&User{}, "Groups", &Membership{}),
			db.AutoMigrate(&User{}, &Group{}),
			db.Create(&User{Name: "gopher"}).Error,
			db.Create(&[]Group{{Name: "staff"}, {Name: "board"}}).Error,
		)
	}
	if err != nil {
		log.Fatal(err)
	}
	return db, func() {
		pool, err := db.DB()
		if err != nil {
			log.Fatal(err)
		}
		if err := pool.Close(); err != nil {
			log.Fatal(err)
		}
		for _, f := range tb.cleanup {
			f()
		}
	}
}

// exampleTB is what pgtest needs of a test, which an example does not have.
type exampleTB struct {
	testing.TB
	cleanup []func()
}

func (*exampleTB) Helper()                           {}
func (*exampleTB) Errorf(format string, args ...any) { log.Fatalf(format, args...) }
func (*exampleTB) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
func (tb *exampleTB) Cleanup(f func())               { tb.cleanup = append(tb.cleanup, f) }
