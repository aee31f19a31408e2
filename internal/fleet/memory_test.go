package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const day = 24 * time.Hour

func lagsOf(lookedAt time.Time, lags ...Lag) (l Lags) {
	for _, lag := range lags {
		l.Add(lag)
	}
	l.LookedAt = lookedAt
	return l
}

// Since when a sync is behind is told by who has seen it move, or by the cycle before, or by when a cycle first looked.
func TestSinceWhenASyncIsBehind(t *testing.T) {
	t.Parallel()
	now, looked := at(60), at(50)
	failing := Lag{Destination: "d", Since: at(20), Kind: "K", Failing: at(30), Reported: at(31), Told: at(32), Is: "1", Wanted: "2"}
	for what, tt := range map[string]struct {
		before  Lags
		lag     Lag
		carried time.Time
		want    Lag
	}{
		"nobody remembers anything": {Lags{}, Lag{}, time.Time{}, Lag{Since: now, AtLeast: true}},
		"but it is known":           {Lags{}, Lag{Since: at(7)}, at(8), Lag{Since: at(7)}},
		"or known in part":          {Lags{}, Lag{Since: at(8), AtLeast: true}, at(8), Lag{Since: at(8), AtLeast: true}},
		"it was in sync":            {lagsOf(looked), Lag{}, time.Time{}, Lag{Since: now}},
		"and has got an object":     {lagsOf(looked), Lag{Since: at(45)}, at(51), Lag{Since: at(45)}},
		"and has got none":          {lagsOf(looked), Lag{Since: at(7)}, at(8), Lag{Since: now}},
		"by a fast clock":           {lagsOf(looked), Lag{Since: at(99)}, at(99), Lag{Since: now}},
		"it lagged, and failed":     {lagsOf(looked, failing), Lag{Since: at(55), Is: "1", Wanted: "3"}, at(55), Lag{Since: at(20), Kind: "K", Failing: at(30), Reported: at(31), Told: at(32), Is: "1", Wanted: "3"}},
		"it has arrived meanwhile":  {lagsOf(looked, failing), Lag{Since: at(55), Is: "2", Wanted: "3"}, at(55), Lag{Since: at(55), Is: "2", Wanted: "3"}},
		"it failed before it lagged": {
			lagsOf(looked, Lag{Destination: "d", Kind: "Unreachable", Failing: at(30)}), Lag{Since: at(45)}, at(51),
			Lag{Since: at(45), Kind: "Unreachable", Failing: at(30)},
		},
		"its object is made again": { // it is where it has to be, which does not help
			lagsOf(looked, Lag{Destination: "d", Since: at(20), Is: "2", Wanted: "2"}), Lag{Is: "2", Wanted: "2"}, time.Time{},
			Lag{Since: at(20), Is: "2", Wanted: "2"},
		},
	} {
		tt.lag.Destination, tt.want.Destination, tt.want.Met = "d", "d", now
		require.Equal(t, tt.want, tt.before.Behind(tt.lag, tt.carried, now), what)
	}
}

func TestSinceWhenASyncFails(t *testing.T) {
	t.Parallel()
	now := at(60)
	before := Lag{Destination: "d", Since: at(20), AtLeast: true, Kind: "K", Failing: at(30), Reported: at(31), Told: at(32), Is: "1", Wanted: "2"}
	recovered := Lags{Recovered: []Lag{{Destination: "other"}, before}}
	for what, tt := range map[string]struct {
		before Lags
		lag    Lag
		kind   string
		want   Lag
	}{
		"for the first time":       {Lags{}, Lag{Since: at(50)}, "K", Lag{Since: at(50), Kind: "K", Failing: now}},
		"as before":                {lagsOf(at(1), before), Lag{Since: at(20), Is: "1", Wanted: "3"}, "K", Lag{Since: at(20), Kind: "K", Failing: at(30), Reported: at(31), Told: at(32), Is: "1", Wanted: "3"}},
		"before it could be tried": {lagsOf(at(1), before), Lag{}, "K", before},
		"for another reason":       {lagsOf(at(1), before), Lag{}, "L", Lag{Since: at(20), AtLeast: true, Kind: "L", Failing: now, Is: "1", Wanted: "2"}},
		"before people were told that it had recovered": {recovered, Lag{Since: at(50)}, "K", Lag{Since: at(50), Kind: "K", Failing: at(30), Reported: at(31), Told: at(32)}},
	} {
		tt.lag.Destination, tt.want.Destination, tt.want.Met = "d", "d", now
		require.Equal(t, tt.want, tt.before.Fail(tt.lag, tt.kind, now), what)
	}
}

// A cycle fails for a failure that is new, and once a day for one that is not.
func TestWhenACycleFails(t *testing.T) {
	t.Parallel()
	old := Lag{Destination: "a", Kind: "K", Failing: at(0), Reported: at(0)}
	for what, tt := range map[string]struct {
		now, before Lags
		want        bool
	}{
		"nothing":                      {Lags{}, Lags{}, false},
		"only behind":                  {lagsOf(at(0), Lag{Destination: "a"}), Lags{}, false},
		"new":                          {lagsOf(at(0), Lag{Destination: "a", Kind: "K"}), Lags{}, true},
		"known":                        {lagsOf(at(0), old), Lags{}, false},
		"known, and a new one":         {lagsOf(at(0), old, Lag{Destination: "b", Kind: "K"}), Lags{}, true},
		"more than are listed":         {Lags{MoreFailing: 1}, Lags{}, true},
		"as many as before, about":     {Lags{MoreFailing: 2}, Lags{MoreFailing: 1}, false},
		"known for a day less a while": {lagsOf(at(0), Lag{Destination: "a", Kind: "K", Reported: at(3).Add(-day)}), Lags{}, false},
		"known for a day":              {lagsOf(at(0), Lag{Destination: "a", Kind: "K", Reported: at(1).Add(-day)}), Lags{}, true},
	} {
		require.Equal(t, tt.want, tt.now.Report(tt.before, at(1)), what)
		require.False(t, tt.now.Report(tt.now, at(2)), "%s: the next does not", what)
		for _, lag := range tt.now.List {
			require.Equal(t, lag.Kind != "" && tt.want, lag.Reported.Equal(at(1)), what)
		}
	}
}

// What a cycle has not come to stays as it was; what it has seen in sync has recovered.
func TestSettle(t *testing.T) {
	t.Parallel()
	told := func(name string) Lag { return Lag{Destination: name, Kind: "K", Failing: at(1), Told: at(2)} }
	before := lagsOf(at(0), told("again"), told("in sync"), told("not seen"), Lag{Destination: "behind"}, Lag{Destination: "untold", Kind: "K"}, told("moved"))
	before.Recovered = []Lag{told("before"), told("relapsed")}
	now := lagsOf(at(0), told("again"), Lag{Destination: "moved"}, told("relapsed"))
	now.Settle(before, func(name string) bool { return name != "not seen" })
	require.Equal(t, []string{"again", "moved", "not seen", "relapsed"}, names(now.List))
	require.Equal(t, []string{"in sync", "moved", "before"}, names(now.Recovered))

	now = Lags{MoreFailing: 1}
	now.Settle(before, func(string) bool { return true })
	require.Equal(t, []string{"before", "relapsed"}, names(now.Recovered), "the others may be among those without a name")

	before, now = lagsOf(at(0), told("a")), lagsOf(at(0), told("a"))
	now.Done(told("a"), &before)
	now.Settle(before, func(string) bool { return false })
	require.Empty(t, now.List)
	require.Equal(t, []string{"a"}, names(now.Recovered))
	for range 200 {
		now.recover(told("a"))
	}
	require.Len(t, now.Recovered, 100)
}

// People are told once of what fails, again after a day, and of what has recovered.
func TestWhatIsTold(t *testing.T) {
	t.Parallel()
	var before Lags
	now := lagsOf(at(0), Lag{Destination: "a", Kind: "K"}, Lag{Destination: "b"})
	changes, more := now.Changes(before, at(1))
	require.Equal(t, []Change{{Lag: now.List[0], What: ChangeFailing}}, changes)
	require.Zero(t, more)
	again, _ := now.Changes(before, at(2))
	require.Equal(t, changes, again, "as long as nobody could be told")
	now.Told(at(2))
	changes, _ = now.Changes(now, at(3))
	require.Empty(t, changes)
	changes, _ = now.Changes(now, at(1).Add(day))
	require.Empty(t, changes)
	changes, _ = now.Changes(now, at(2).Add(day))
	require.Equal(t, []Change{{Lag: now.List[0], What: ChangeStillFailing}}, changes)

	other := lagsOf(at(0), now.Fail(Lag{Destination: "a"}, "L", at(4)))
	changes, _ = other.Changes(now, at(4))
	require.Equal(t, []Change{{Lag: other.List[0], What: ChangeFailing, Was: "K"}}, changes)

	var later Lags
	later.Settle(now, func(string) bool { return true })
	changes, _ = later.Changes(now, at(5))
	require.Equal(t, []Change{{Lag: now.List[0], What: ChangeRecovered}}, changes)
	later.Told(at(5))
	changes, _ = later.Changes(now, at(6))
	require.Empty(t, changes)

	many := Lags{MoreFailing: 7}
	_, more = many.Changes(Lags{}, at(1))
	require.Equal(t, 7, more)
	_, more = many.Changes(Lags{MoreFailing: 3}, at(1))
	require.Zero(t, more, "it is known already that there are more")
}

// What is paused is none of a cycle's lags, and comes back once. Its list is bounded.
func TestPausedLags(t *testing.T) {
	t.Parallel()
	lag := Lag{Destination: "a", Since: at(1)}
	before, now := lagsOf(at(0), lag, Lag{Destination: "b"}), Lags{}
	before.MoreBehind = 2
	now.Pause(&before, lag)
	now.Pause(&before, Lag{Destination: "new"})
	require.Equal(t, []string{"b"}, names(before.List))
	require.Equal(t, 2, before.MoreBehind, "what has not lagged before takes nothing away")
	require.Equal(t, []string{"a", "new"}, names(now.Paused))
	now.Add(Lag{Destination: "a", Since: at(2)})
	now.Resume()
	require.Equal(t, []string{"a", "new"}, names(now.List), "once")
	require.Equal(t, at(2), now.List[0].Since)
	require.Empty(t, now.Paused)
	for range 200 {
		now.Pause(&before, lag)
	}
	require.Len(t, now.Paused, 100)
}
