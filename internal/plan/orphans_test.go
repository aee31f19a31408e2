package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/project"
)

var day = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)

// stored is a bucket with one snapshot for each destination.
func stored(names ...string) map[project.Branch]chain.Chain {
	commits := map[project.Branch][]string{}
	for _, name := range names {
		commits[destination(name, "m")] = []string{a}
	}
	return bucket(commits)
}

func configured(names ...string) (syncs []project.Sync) {
	for _, name := range names {
		syncs = append(syncs, sync(name, "m"))
	}
	return syncs
}

func names(branches []project.Branch) (out []string) {
	for _, b := range branches {
		out = append(out, b.Name)
	}
	return out
}

func TestOrphans(t *testing.T) {
	all := []string{"one", "two", "three", "four"}
	gone := func(hours int, names ...string) (a Absence) {
		for _, name := range names {
			a.Branches = append(a.Branches, Absent{Destination: destination(name, "m"), Since: day.Add(-time.Duration(hours) * time.Hour)})
		}
		return a
	}
	tests := map[string]struct {
		syncs      []project.Sync
		remembered Absence
		due        []string
		absent     Absence
		warning    string
		refused    string
	}{
		"all configured":           {syncs: configured(all...)},
		"just gone":                {syncs: configured("one", "two", "three"), absent: gone(0, "four"), warning: "1 destinations have left the configuration, among them dst/four@m: a schedule or cron deletes the objects of each that stays away for 24h0m0s, the first not before 2026-05-05T00:00:00Z"},
		"gone for a while":         {syncs: configured("one", "two", "three"), remembered: gone(23, "four"), absent: gone(23, "four"), warning: "not before 2026-05-04T01:00:00Z"},
		"gone for long enough":     {syncs: configured("one", "two", "three"), remembered: gone(24, "four"), absent: gone(24, "four"), due: []string{"four"}},
		"one of two due":           {syncs: configured("one", "two"), remembered: gone(24, "four"), absent: Absence{Branches: append(gone(24, "four").Branches, gone(0, "three").Branches...)}, due: []string{"four"}, warning: "2 destinations have left the configuration, among them dst/three@m"},
		"back again":               {syncs: configured(all...), remembered: gone(24, "four")},
		"a clock was ahead":        {syncs: configured("one", "two", "three"), remembered: gone(-9000, "four"), absent: gone(0, "four"), warning: "not before 2026-05-05T00:00:00Z"},
		"exactly the share":        {syncs: configured("one", "two"), remembered: gone(24, "four", "three"), absent: gone(24, "four", "three"), due: []string{"four", "three"}},
		"more than the share":      {syncs: configured("one"), remembered: gone(24, "four", "three"), absent: Absence{Branches: append(gone(24, "four", "three").Branches, gone(0, "two").Branches...)}, refused: "3 of 4 destinations in the bucket are no longer configured, more than the share of 0.5"},
		"empty configuration":      {remembered: gone(24, "four"), absent: gone(24, "four"), refused: "no sync is configured: the objects of all 4 destinations are kept"},
		"an unreadable entry":      {syncs: append(configured("one", "two"), project.Sync{}), remembered: gone(24, "four"), absent: gone(24, "four")},
		"an unreadable one before": {syncs: append([]project.Sync{{}}, configured("one", "two")...), remembered: gone(24, "four"), absent: gone(24, "four")},
		"unreadable, and back":     {syncs: append(configured("one", "two", "four"), project.Sync{}), remembered: gone(24, "four")},
		"in another spelling":      {syncs: append(configured("one", "two", "three"), project.Sync{Source: source("x", "m"), Destination: project.Branch{Group: "DST", Name: "Four", Branch: "m"}})},
		"a refused duplicate":      {syncs: configured("one", "two", "three", "four", "four"), remembered: gone(24, "four")},
		"deleted ones count, yet": {syncs: configured("one", "two", "three"), remembered: Absence{Branches: gone(24, "four").Branches, Deleted: []Deletion{{day.Add(-23 * time.Hour), 4}}},
			absent: Absence{Branches: gone(24, "four").Branches, Deleted: []Deletion{{day.Add(-23 * time.Hour), 4}}}, refused: "5 of 8 destinations in the bucket are no longer configured, 4 of them deleted already"},
		"nobody is gone, though many were deleted": {syncs: configured(all...), remembered: Absence{Deleted: []Deletion{{day, 100}}}, absent: Absence{Deleted: []Deletion{{day, 100}}}},
		"and no longer": {syncs: configured("one", "two", "three"), remembered: Absence{Branches: gone(24, "four").Branches, Deleted: []Deletion{{day.Add(-24 * time.Hour), 4}}},
			absent: gone(24, "four"), due: []string{"four"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := Retention{After: 24 * time.Hour, MaxShare: 0.5}.Orphans(test.syncs, stored(all...), Omitted{}, test.remembered, day)
			require.ElementsMatch(t, test.due, names(out.Due))
			require.ElementsMatch(t, test.absent.Branches, out.Absence.Branches)
			require.Equal(t, test.absent.Deleted, out.Absence.Deleted)
			require.Contains(t, out.Warning, test.warning)
			require.Equal(t, test.warning == "", out.Warning == "")
			require.Equal(t, test.refused == "" && !strings.Contains(name, "unreadable"), out.Trusted)
			if test.refused == "" {
				require.Nil(t, out.Failure)
				return
			}
			require.Equal(t, KindPruneRefused, out.Failure.Kind)
			require.Equal(t, "bucket", out.Failure.Subject)
			require.Contains(t, out.Failure.Reason, test.refused)
		})
	}
}

// Objects that are named as the destination was spelled once are not those of somebody who has left.
func TestOrphansOfAnotherSpelling(t *testing.T) {
	t.Parallel()
	for _, spelled := range []string{"App", "app"} {
		for _, wanted := range []string{"App", "app"} {
			out := Retention{MaxShare: 1}.Orphans(configured(wanted), stored(spelled), Omitted{}, Absence{}, day)
			require.Equal(t, Orphans{Trusted: true}, out, "%s in the bucket, %s configured", spelled, wanted)
		}
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	one, two := Absent{Destination: destination("one", "m"), Since: day}, Absent{Destination: destination("two", "m"), Since: day}
	absence := Absence{Branches: []Absent{one, two}}
	require.Equal(t, absence, absence.RecordDeletion(nil, day))
	require.Equal(t, Absence{Branches: []Absent{two}, Deleted: []Deletion{{day, 1}}}, absence.RecordDeletion([]project.Branch{one.Destination}, day))
}

// Before anything is configured, an empty bucket is as it should be.
func TestNoOrphansInAnEmptyBucket(t *testing.T) {
	require.Equal(t, Orphans{}, Retention{MaxShare: 1}.Orphans(nil, nil, Omitted{}, Absence{}, day))
}

func TestOrphansAtOnce(t *testing.T) {
	out := Retention{MaxShare: 0.5}.Orphans(configured("one"), stored("one", "two"), Omitted{}, Absence{}, day)
	require.Equal(t, []string{"two"}, names(out.Due))
	require.Empty(t, out.Warning)
}

// A share of nothing keeps all of them, and says so for as long as there are any.
func TestNoShareOfOrphansIsDeleted(t *testing.T) {
	out := Retention{MaxShare: 0}.Orphans(configured("one"), stored("one", "two"), Omitted{}, Absence{Branches: []Absent{{Destination: destination("two", "m"), Since: day.Add(-999 * time.Hour)}}}, day)
	require.Empty(t, out.Due)
	require.Equal(t, KindPruneRefused, out.Failure.Kind)
	require.False(t, Retention{MaxShare: 0}.Orphans(configured("one"), stored("one"), Omitted{}, Absence{}, day).Trusted)
}

// shrinking is a bucket of 64 destinations, under a configuration that loses them.
type shrinking struct {
	all        []string
	lost       map[string]time.Time // when their objects were deleted
	remembered Absence
}

func newShrinking() *shrinking {
	s := &shrinking{lost: map[string]time.Time{}}
	for i := range 64 {
		s.all = append(s.all, fmt.Sprintf("p%02d", i))
	}
	return s
}

// cycle keeps the first of them configured, and returns how many the bucket has afterwards.
func (s *shrinking) cycle(wanted int, now time.Time) int {
	bucket := stored(s.all...)
	for name := range s.lost {
		delete(bucket, destination(name, "m"))
	}
	out := Retention{After: 24 * time.Hour, MaxShare: 0.5}.Orphans(configured(s.all[:wanted]...), bucket, Omitted{}, s.remembered, now)
	for _, b := range out.Due {
		s.lost[b.Name] = now
	}
	s.remembered = out.Absence.RecordDeletion(out.Due, now)
	return len(bucket) - len(out.Due)
}

// What a mistaken configuration loses by halves is not lost within a day.
func TestPruneShareCannotBeHalvedAway(t *testing.T) {
	s, wanted := newShrinking(), 64
	for cycle := range 12 * 48 { // every five minutes for two days
		if cycle > 0 && wanted > 1 {
			wanted /= 2
		}
		require.Equal(t, 64, s.cycle(wanted, day.Add(time.Duration(cycle)*5*time.Minute)), "63 of 64 left within half an hour")
	}
}

// One half after another, each for a day: no day takes more than the share.
func TestPruneShareHoldsForEveryDay(t *testing.T) {
	s := newShrinking()
	for hour := range 24 * 8 {
		now := day.Add(time.Duration(hour) * time.Hour)
		wanted := max(1, 64>>min(6, 1+hour/25)) // another half is gone an hour after the last was deleted
		before := s.cycle(wanted, now)
		within := 0
		for _, at := range s.lost {
			if at.After(now.Add(-24 * time.Hour)) {
				within++
			}
		}
		require.LessOrEqual(t, within, (before+within)/2, "hour %d", hour)
	}
	require.NotEmpty(t, s.lost)
}

// What is remembered is bounded, and those who left first are not forgotten for others.
func TestAbsenceIsBounded(t *testing.T) {
	var all []string
	for i := range 2 * maxAbsent {
		all = append(all, fmt.Sprintf("p%04d", i))
	}
	retention := Retention{After: 24 * time.Hour, MaxShare: 1}
	late := destination(all[len(all)-1], "m")
	remembered := Absence{Branches: []Absent{{Destination: late, Since: day.Add(-time.Hour)}}}
	out := retention.Orphans(configured("other"), stored(all...), Omitted{}, remembered, day)
	require.Len(t, out.Absence.Branches, maxAbsent)
	require.Equal(t, late, out.Absence.Branches[0].Destination)

	var absence Absence
	for i := range 3 * maxDeletions {
		absence = absence.RecordDeletion([]project.Branch{late}, day.Add(time.Duration(i)*time.Minute))
	}
	require.Len(t, absence.Deleted, maxDeletions)
	count := 0
	for _, d := range absence.Deleted {
		count += d.Destinations
	}
	require.Equal(t, 3*maxDeletions, count, "all of them still count")
}
