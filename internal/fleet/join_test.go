package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// minutes are counted from the beginning of the last complete cycle, which took two.
func at(minutes int) time.Time {
	return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

var app = project.Branch{Group: "Acme", Name: "app", Branch: "main"}

// source was seen at a state minutes after the cycle began. The bucket has the object of another.
func source(state string, moved int, object string, made int) Source {
	s := Source{Destination: app, State: state, SeenAt: at(-1), MovedAt: at(moved), Object: object}
	if object != "" {
		s.MadeAt = at(made)
	}
	return s
}

type situation struct {
	source Source
	lag    Lag
	end    *End
	pause  bool
	failed Reported
	want   Sync
}

func (s situation) facts(producer, catalog bool) Facts {
	f := Facts{
		Role: "consumer", InBucket: producer, Sources: []Source{s.source}, Now: at(5),
		Cycle:   Cycle{Began: at(0), Ended: at(2), Looked: at(0), Catalog: at(-1), Failed: []Reported{s.failed}},
		ChildID: func(b project.Branch) string { return "move/" + b.String() },
		Ends:    map[project.Branch]End{},
	}
	if catalog {
		f.CatalogCreated = at(4)
	}
	if s.lag.Destination != "" {
		f.Cycle.Lags.List = []Lag{s.lag}
	}
	if s.end != nil {
		f.Ends[app.Identity()] = *s.end
	}
	if s.pause {
		f.Pauses = []Pause{{Destination: "acme/APP@main", By: "ops", Until: at(60)}}
	}
	return f
}

func (s situation) check(t *testing.T, name string, producer, catalog bool) {
	t.Helper()
	s.want.Destination, s.want.Workflow = "Acme/app@main", "move/Acme/app@main"
	require.Equal(t, []Sync{s.want}, Join(s.facts(producer, catalog)).Syncs, name)
}

func TestConsumersSyncs(t *testing.T) {
	failure := func(kind string, since int, reason, remedy string) *Failure {
		return &Failure{Kind: kind, Since: at(since), Reason: reason, Remedy: remedy}
	}
	long := source("b", -200, "b", -190)
	for name, s := range map[string]situation{
		"in sync for long":   {source: long, want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-1)}},
		"behind":             {source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a", Wanted: "b"}, want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(-200), LastInSync: at(-200)}},
		"behind for longer":  {source: long, lag: Lag{Destination: "acme/app@main", Since: at(-300), Is: "a", Wanted: "b"}, want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(-300), LastInSync: at(-300)}},
		"since the catalog":  {source: long, lag: Lag{Destination: "acme/app@main", Since: at(0), AtLeast: true, Is: "a"}, want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(-200), LastInSync: at(-200)}},
		"delivered since":    {source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a"}, end: &End{At: at(3), Commit: "b"}, want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-1)}},
		"delivered before":   {source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a"}, end: &End{At: at(-9), Commit: "b"}, want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(-200), LastInSync: at(-200)}},
		"delivered and left": {source: source("c", 4, "b", 1), lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a"}, end: &End{At: at(3), Commit: "b"}, want: Sync{State: Behind, Source: "c", Is: "b", BehindSince: at(4), LastInSync: at(4)}},
		"failing": {
			source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a", Kind: "PushRejected", Failing: at(-100)},
			failed: Reported{"acme/app@main", "PushRejected", "a hook says no\nunprotect it"},
			want:   Sync{State: Failing, Source: "b", Is: "a", BehindSince: at(-200), LastInSync: at(-200), Failure: failure("PushRejected", -100, "a hook says no", "unprotect it")},
		},
		"failing without room for the reason": {
			source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a", Kind: "PushRejected", Failing: at(-100)},
			want: Sync{State: Failing, Source: "b", Is: "a", BehindSince: at(-200), LastInSync: at(-200), Failure: failure("PushRejected", -100, "", "")},
		},
		"left by others since":        {source: long, lag: Lag{Destination: "acme/app@main", Since: at(1), Met: at(4), Is: "x", Wanted: "b"}, end: &End{At: at(3), Commit: "b"}, want: Sync{State: Behind, Source: "b", Is: "x", BehindSince: at(1), LastInSync: at(1)}},
		"since before it moved again": {source: source("b", -2, "b", -1), lag: Lag{Destination: "acme/app@main", Since: at(-90), AtLeast: true, Is: "a", Wanted: "b"}, want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(-90), AtLeast: true}},
		"repaired since":              {source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a", Kind: "PushRejected", Failing: at(-100)}, end: &End{At: at(3), Commit: "b"}, want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-1)}},
		"failed since": {
			source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a"}, end: &End{At: at(3), Kind: "DiskFull", Reason: "full\nmake room"},
			want: Sync{State: Failing, Source: "b", Is: "a", BehindSince: at(-200), LastInSync: at(-200), Failure: failure("DiskFull", 3, "full", "make room")},
		},
		"failed again": {
			source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a", Kind: "DiskFull", Failing: at(-50)}, end: &End{At: at(3), Kind: "DiskFull", Reason: "full"},
			want: Sync{State: Failing, Source: "b", Is: "a", BehindSince: at(-200), LastInSync: at(-200), Failure: failure("DiskFull", -50, "full", "")},
		},
		"moved since":             {source: source("b", 3, "a", -200), want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(3), LastInSync: at(3)}},
		"uploaded since":          {source: source("b", -1, "b", 3), want: Sync{State: Behind, Source: "b", BehindSince: at(-1), LastInSync: at(-1)}},
		"uploaded, and pushed":    {source: source("b", -1, "b", 3), end: &End{At: at(4), Commit: "b"}, want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-1)}},
		"pushed before the cycle": {source: source("b", -9, "b", -8), end: &End{At: at(-5), Commit: "b"}, want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-1)}},
		"there without a run":     {source: source("b", -9, "b", -8), want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-1)}},
		"not uploaded for long":   {source: source("b", -150, "a", -200), want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(-150), LastInSync: at(-150)}},
		"nothing uploaded yet":    {source: source("b", -3, "", 0), want: Sync{State: Never, Source: "b", BehindSince: at(-3)}},
		"nothing there yet":       {source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200)}, want: Sync{State: Never, Source: "b", BehindSince: at(-200)}},
		"the destination cannot be read": {
			source: long, lag: Lag{Destination: "acme/app@main", Kind: "Unreachable", Failing: at(-30)}, failed: Reported{"acme/app@main", "Unreachable", "it does not answer"},
			want: Sync{State: Failing, Source: "b", Is: "b", LastInSync: at(-30), Failure: failure("Unreachable", -30, "it does not answer", "")},
		},
		"the producer cannot read": {source: failingSource(), want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-200), Producer: failure("GitAuthFailed", -190, "", "")}},
		"paused":                   {source: long, lag: Lag{Destination: "acme/app@main", Since: at(-200), Is: "a", Kind: "DiskFull", Failing: at(-9)}, pause: true, want: Sync{State: Paused, Source: "b", Is: "a", BehindSince: at(-200), LastInSync: at(-200), Failure: failure("DiskFull", -9, "", ""), Pause: &Pause{Destination: "acme/APP@main", By: "ops", Until: at(60)}}},
	} {
		s.check(t, name, false, true)
	}
}

func failingSource() Source {
	s := source("b", -300, "b", -300)
	s.SeenAt, s.Failure = at(-200), &Failure{Kind: "GitAuthFailed", Since: at(-190)}
	return s
}

func TestProducersSyncs(t *testing.T) {
	name := Source{Destination: app}
	failing := failingSource()
	for what, s := range map[string]situation{
		"in sync":               {source: source("b", -9, "b", -8), want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-1)}},
		"moved":                 {source: source("b", -9, "a", -200), want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(-9), LastInSync: at(-9)}},
		"uploaded":              {source: source("b", -9, "a", -200), end: &End{At: at(1), Commit: "b"}, want: Sync{State: InSync, Source: "b", Is: "b", LastInSync: at(-1)}},
		"moved after an upload": {source: source("c", 3, "b", 2), lag: Lag{Destination: "acme/app@main", Since: at(-9), Is: "a"}, end: &End{At: at(1), Commit: "a"}, want: Sync{State: Behind, Source: "c", Is: "b", BehindSince: at(3), LastInSync: at(3)}},
		"an object is replaced": {source: source("b", -90, "b", -80), lag: Lag{Destination: "acme/app@main", Since: at(0), Is: "b"}, want: Sync{State: Behind, Source: "b", Is: "b", BehindSince: at(0), LastInSync: at(0)}},
		"nothing uploaded":      {source: source("b", -9, "", 0), want: Sync{State: Never, Source: "b", BehindSince: at(-9)}},
		"just configured":       {source: name, want: Sync{State: Never}},
		"unreadable":            {source: failing, want: Sync{State: Failing, Source: "b", Is: "b", LastInSync: at(-200), Failure: failing.Failure}},
	} {
		s.check(t, what, true, true)
	}
	for what, s := range map[string]situation{
		"in sync":                  {source: name, want: Sync{State: InSync, LastInSync: at(0)}},
		"behind":                   {source: name, lag: Lag{Destination: "acme/app@main", Since: at(0), AtLeast: true, Is: "a", Wanted: "b"}, want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(0), AtLeast: true}},
		"uploaded since":           {source: name, lag: Lag{Destination: "acme/app@main", Since: at(0), Is: "a", Wanted: "b"}, end: &End{At: at(1), Commit: "b"}, want: Sync{State: InSync, Is: "b", LastInSync: at(1)}},
		"something older uploaded": {source: name, lag: Lag{Destination: "acme/app@main", Since: at(0), Is: "a", Wanted: "b"}, end: &End{At: at(1), Commit: "a"}, want: Sync{State: Behind, Source: "b", Is: "a", BehindSince: at(0), LastInSync: at(0)}},
		"failing":                  {source: name, lag: Lag{Destination: "acme/app@main", Since: at(0), Kind: "KeyTooLong", Failing: at(0)}, want: Sync{State: Failing, BehindSince: at(0), LastInSync: time.Time{}, Failure: &Failure{Kind: "KeyTooLong", Since: at(0)}}},
	} {
		s.check(t, what+", without a catalog", true, false)
	}
}

// Those that nobody has to ask for are most of them.
func TestSuspects(t *testing.T) {
	settled, moved, uploaded := source("b", -200, "b", -190), source("c", 3, "b", -190), source("b", -9, "b", -8)
	facts := func(s Source, producer bool, lags ...Lag) Facts {
		return Facts{InBucket: producer, Sources: []Source{s}, CatalogCreated: at(4), Cycle: Cycle{Looked: at(0), Catalog: at(-1), Lags: Lags{List: lags}}}
	}
	lag := Lag{Destination: "acme/app@main", Since: at(-9)}
	ended := func(f Facts, minutes int, commit string) Facts {
		f.Ends = map[project.Branch]End{app.Identity(): {At: at(minutes), Commit: commit}}
		return f
	}
	for name, tt := range map[string]struct {
		facts Facts
		want  bool
	}{
		"settled":                         {facts(settled, false), false},
		"lagging":                         {facts(settled, false, lag), true},
		"moved":                           {facts(moved, false), true},
		"uploaded not long ago":           {facts(uploaded, false), true},
		"uploaded, at the producer":       {facts(uploaded, true), false},
		"moved, at the producer":          {facts(moved, true), true},
		"known to be delivered":           {ended(facts(uploaded, false), -5, "b"), false},
		"known to be delivered otherwise": {ended(facts(moved, false), 1, "b"), true},
		"known to be repaired":            {ended(facts(settled, false, lag), 1, "b"), false},
		"delivered before the cycle":      {ended(facts(settled, false, lag), -1, "b"), true},
		"no name but that of the lag":     {Facts{Cycle: Cycle{Looked: at(0), Lags: Lags{List: []Lag{lag}}}}, true},
	} {
		require.Equal(t, tt.want, len(Suspects(tt.facts)) == 1, name)
	}
}

// A cycle names so many lags and no more. Of the others, only numbers are known: none of them is claimed to be in sync.
func TestLagsWithoutNames(t *testing.T) {
	other := source("b", -200, "b", -190)
	other.Destination.Name = "other"
	f := Facts{
		Sources: []Source{source("b", -200, "b", -190), other}, CatalogCreated: at(4),
		Cycle: Cycle{Began: at(0), Ended: at(2), Looked: at(0), Catalog: at(-1), Lags: Lags{List: []Lag{{Destination: "acme/app@main", Is: "a", Since: at(-9)}}, MoreFailing: 1}},
	}
	v := Join(f)
	require.Len(t, v.Syncs, 1)
	require.Equal(t, Behind, v.Syncs[0].State)
	require.Equal(t, map[State]int{Failing: 1}, v.More, "the other one")

	f.Cycle.Lags.MoreFailing = 0
	require.Nil(t, Join(f).More)
	require.Len(t, Join(f).Syncs, 2)

	f.Sources, f.CatalogCreated = nil, time.Time{} // no keys to verify the catalog with
	f.Cycle.InSync, f.Cycle.Lags.MoreBehind = 7, 2
	v = Join(f)
	require.Equal(t, map[State]int{InSync: 7, Behind: 2}, v.More)
	require.Equal(t, []Sync{{Destination: "acme/app@main", State: Behind, Is: "a", BehindSince: at(-9), LastInSync: at(-9)}}, v.Syncs)
}

func TestSideFailures(t *testing.T) {
	f := Facts{
		Failures: []SideFailure{{"list of syncs", Failure{Kind: "Other", Since: at(1)}}},
		Cycle: Cycle{
			Began: at(0), Ended: at(2),
			Failed: []Reported{{"acme/app@main", "PushRejected", ""}, {"catalog", "CatalogStale", "old\nask them"}, {"plan", "BucketNotFound", ""}},
			Lags:   Lags{List: []Lag{{Destination: "catalog", Kind: "CatalogStale", Failing: at(-60)}}},
		},
	}
	v := Join(f)
	require.Equal(t, []SideFailure{
		{"list of syncs", Failure{Kind: "Other", Since: at(1)}},
		{"catalog", Failure{Kind: "CatalogStale", Since: at(-60), Reason: "old", Remedy: "ask them"}},
		{"plan", Failure{Kind: "BucketNotFound", Since: at(0)}},
	}, v.Failures)
	require.Equal(t, 2*time.Minute, v.CycleTook)
	require.Empty(t, v.Syncs)
}
