package compat

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/m2msafe/m2msafe"
)

// Stock GORM has neither reports nor events: none of these can pass there.
var reports = []behaviour{
	{"created, existing and revived are told apart pair by pair", reportOutcomes},
	{"a link has the owner and the target in memory, and their keys", reportLink},
	{"equal targets of one call are one link", reportEqual},
	{"what is loaded already and sent again is existing", reportLoaded},
	{"several owners and relations are told in the order they are asked for", reportOrder},
	{"a new target's key is told", reportNewTarget},
	{"Reset empties a report", reportReset},
	{"a failed call reports nothing", reportFailed},
	{"of many writers exactly one is told created", reportRace},
	{"OnLinked hears of new links only", eventFresh},
	{"OnLinked hears of revived links", eventRevived},
	{"OnLinked given to New hears of all calls, and With's takes its place", eventDefaults},
	{"relations between the same models don't hear each other's events", eventRelations},
	{"OnLinked writes in the transaction of the links", eventWrites},
	{"OnLinked's error is the call's and rolls links and targets back", eventFails},
	{"OnLinked's error leaves the caller's transaction usable", eventFailsInside},
	{"OnLinked may link", eventLinks},
	{"a panic of OnLinked leaves no transaction open", eventPanics},
}

// outcomes lists links as "owner|target outcome".
func outcomes(links []m2msafe.Link) []string {
	texts := make([]string, len(links))
	for i, l := range links {
		texts[i] = fmt.Sprintf("%v|%v %v", l.OwnerKey[0], l.TargetKey[0], l.Outcome)
	}
	return texts
}

// marked is the article's database with a join model that is deleted softly,
// and links 1|1 and a dead 1|2 in it.
func marked(t testing.TB, db *gorm.DB) *gorm.DB {
	t.Helper()
	require.NoError(t, db.SetupJoinTable(&Article{}, "Publications", &Mark{}))
	seed(t, db, `CREATE TABLE article_publications ({pair}, deleted_at timestamp, PRIMARY KEY (article_id, publication_id))`)
	exec(t, db, `INSERT INTO article_publications VALUES (1, 1, NULL), (1, 2, ?)`, past)
	return db
}

func reportOutcomes(t *testing.T, e Engine) {
	db := marked(t, e.DB(t))
	var report m2msafe.Report
	require.NoError(t, link(m2msafe.With(db, m2msafe.ReportTo(&report)), 1, 3, 1, 2))
	require.Equal(t, []string{"1|3 created", "1|1 existing", "1|2 revived"}, outcomes(report.Links()))
	require.Equal(t, []string{"1|3 created"}, outcomes(report.Created()))
	require.Equal(t, []string{"1|1 existing"}, outcomes(report.Existing()))
	require.Equal(t, []string{"1|2 revived"}, outcomes(report.Revived()))
	require.Equal(t, []string{"1|1|1", "1|2|1", "1|3|1"}, rows(t, db,
		`SELECT article_id, publication_id, CASE WHEN deleted_at IS NULL THEN 1 ELSE 0 END FROM article_publications ORDER BY 1, 2`))
}

func reportLink(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	var report m2msafe.Report
	playlist, track, label := &Playlist{ID: 2}, &Track{ID: 3}, &Label{Code: "b", ID: 2}
	tx := m2msafe.With(db, m2msafe.ReportTo(&report))
	require.NoError(t, tx.Model(playlist).Association("Tracks").Append(track))
	require.NoError(t, tx.Model(playlist).Association("Labels").Append(label))
	links := report.Links()
	require.Len(t, links, 2)
	require.Equal(t, []string{"Playlist.Tracks", "Playlist.Labels"}, []string{links[0].Relation, links[1].Relation})
	require.Same(t, playlist, links[0].Owner)
	require.Same(t, track, links[0].Target)
	require.Equal(t, []any{uint(2)}, links[0].OwnerKey)
	require.Equal(t, []any{uint(3)}, links[0].TargetKey)
	require.Equal(t, []any{"b"}, links[1].TargetKey)
	require.Equal(t, "b", links[1].Target.(*Label).Code)
	require.Equal(t, m2msafe.Created, links[1].Outcome)
}

func reportEqual(t *testing.T, e Engine) {
	db := seeded(t, e)
	var report m2msafe.Report
	require.NoError(t, link(m2msafe.With(db, m2msafe.ReportTo(&report)), 1, 2, 2, 2))
	require.Equal(t, []string{"1|2 created"}, outcomes(report.Links()))
}

func reportLoaded(t *testing.T, e Engine) {
	db := seeded(t, e)
	require.NoError(t, link(db, 1, 1, 2))
	var article Article
	require.NoError(t, db.Preload("Publications").First(&article, 1).Error)
	var report m2msafe.Report
	tx := m2msafe.With(db, m2msafe.ReportTo(&report))
	require.NoError(t, tx.Model(&article).Association("Publications").Append(publications(3)))
	require.ElementsMatch(t, []string{"1|1 existing", "1|2 existing", "1|3 created"}, outcomes(report.Links()))
	report.Reset()
	require.NoError(t, tx.Save(&article).Error)
	require.ElementsMatch(t, []string{"1|1 existing", "1|2 existing", "1|3 existing"}, outcomes(report.Links()))
}

func reportOrder(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	var report m2msafe.Report
	lists := []*Playlist{
		{Title: "four", Tracks: trackRefs(4, 1)},
		{Title: "five", Tracks: trackRefs(2)},
	}
	require.NoError(t, m2msafe.With(db, m2msafe.ReportTo(&report)).Create(&lists).Error)
	require.Equal(t, []string{"4|4 created", "4|1 created", "5|2 created"}, outcomes(report.Links()))
	require.Same(t, lists[1], report.Links()[2].Owner)
	require.Equal(t, []string{"4|1", "4|4", "5|2"}, tracksOf(t, db, "playlist_tracks"))
}

func reportNewTarget(t *testing.T, e Engine) {
	db := music(t, e.DB(t))
	var report m2msafe.Report
	fresh := &Track{Title: "new"}
	require.NoError(t, m2msafe.With(db, m2msafe.ReportTo(&report)).Model(&Playlist{ID: 1}).
		Association("Tracks").Append(fresh, &Track{ID: 2}, &Track{ID: 60}))
	require.Same(t, fresh, report.Links()[0].Target)
	require.Equal(t, []string{fmt.Sprintf("1|%d created", fresh.ID), "1|2 created", "1|60 created"}, outcomes(report.Links()))
}

func reportReset(t *testing.T, e Engine) {
	db := seeded(t, e)
	var report m2msafe.Report
	tx := m2msafe.With(db, m2msafe.ReportTo(&report))
	require.NoError(t, link(tx, 1, 1))
	require.NoError(t, link(tx, 1, 1, 2))
	kept := report.Links()
	require.Equal(t, []string{"1|1 created", "1|1 existing", "1|2 created"}, outcomes(kept))
	report.Reset()
	require.Empty(t, report.Links())
	require.Len(t, kept, 3)
	require.NoError(t, link(tx, 1, 2))
	require.Equal(t, []string{"1|2 existing"}, outcomes(report.Links()))
}

func reportFailed(t *testing.T, e Engine) {
	db := seeded(t, e)
	var report m2msafe.Report
	err := link(m2msafe.With(db, m2msafe.ReportTo(&report)).Omit("Publications.*"), 1, 1, 404)
	require.ErrorIs(t, err, m2msafe.ErrTargetNotStored)
	require.Empty(t, report.Links())
	require.Empty(t, linked(t, db))
}

func reportRace(t *testing.T, e Engine) {
	db := seeded(t, e)
	var group sync.WaitGroup
	var all m2msafe.Report
	for range 10 {
		exec(t, db, `DELETE FROM article_publications`)
		all.Reset()
		errs := make([]error, 8)
		for i := range errs {
			group.Go(func() { errs[i] = link(m2msafe.With(db, m2msafe.ReportTo(&all)), 1, 1, 2, 3, 4, 5) })
		}
		group.Wait()
		require.Equal(t, make([]error, 8), errs)
		require.Len(t, all.Links(), 40)
		created := outcomes(all.Created())
		slices.Sort(created)
		require.Equal(t, []string{"1|1 created", "1|2 created", "1|3 created", "1|4 created", "1|5 created"}, created)
		require.Len(t, linked(t, db), 5)
	}
}
