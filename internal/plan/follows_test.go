package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
)

// Whatever a producer's clock shows, an object says that it was made after the one before.
func TestCreated(t *testing.T) {
	tests := map[string]struct {
		before, want time.Time
		ignored      bool
	}{
		"nothing before":               {time.Time{}, day, false},
		"a clock that agrees":          {day.Add(-time.Minute), day, false},
		"the same moment":              {day, day.Add(1), false},
		"a clock minutes ahead":        {day.Add(5 * time.Minute), day.Add(5*time.Minute + 1), false},
		"a clock hours ahead":          {day.Add(maxFollowedLead), day.Add(maxFollowedLead + 1), false},
		"a forged or broken time":      {day.Add(maxFollowedLead + 1), day, true},
		"a time beyond what is sane":   {day.AddDate(5000, 0, 0), day, true},
		"in another zone of the world": {day.Add(time.Second).In(time.FixedZone("", 3600)), day.Add(time.Second + 1), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, followed := NextCreationTime(day, test.before)
			require.Equal(t, test.want, got)
			require.Equal(t, test.ignored, !followed)
		})
	}
}

func TestOvertakes(t *testing.T) {
	f := ChainState{Key: "newest", Modified: day.Add(300 * time.Millisecond)}
	stored := func(name string, after time.Duration) object.Stored {
		return object.Stored{Key: name, Modified: day.Add(after)}
	}
	for _, test := range []struct {
		other object.Stored
		want  bool
	}{
		{stored("newest", 0), false},
		{stored("older", -time.Second), false},
		{stored("of the same second", 900*time.Millisecond), false},
		{stored("newer", time.Second), true},
		{stored("newest", time.Second), true}, // overwritten
		{stored("own", time.Second), false},
	} {
		require.Equal(t, test.want, f.OvertakenBy(test.other, "own"), "%v", test.other)
	}
	require.True(t, ChainState{}.OvertakenBy(stored("any", 0), "own"), "planned on nothing")
	require.True(t, Precedes(stored("b", 0), stored("a", time.Second)))
	require.False(t, Precedes(stored("b", time.Second), stored("a", 0)))
	require.True(t, Precedes(stored("a", time.Millisecond), stored("b", 0)), "of one second, names decide")
	require.False(t, Precedes(stored("b", 0), stored("a", time.Millisecond)), "of one second, names decide")
	require.False(t, Precedes(stored("a", time.Second), stored("b", 0)), "of two seconds, they do not")
	require.False(t, Precedes(stored("a", 0), stored("a", 0)))
	require.False(t, UploadedBefore(stored("a", 0), stored("b", time.Millisecond)))
	require.True(t, UploadedBefore(stored("b", 0), stored("a", time.Second)))
}

func TestFollowsIsBounded(t *testing.T) {
	long := chain.Chain{}
	for i := range 3 * maxSeenCommits {
		long.Objects = append(long.Objects, object.Stored{ID: object.ID{Commit: strings.Repeat("a", i)}, Key: strings.Repeat("k", i), Modified: day})
	}
	f := chainState(long)
	require.Len(t, f.Commits, maxSeenCommits)
	require.Equal(t, long.Tip(), f.Commits[maxSeenCommits-1])
	require.Equal(t, long.Newest().Key, f.Key)
	require.Equal(t, f, Push{Objects: long.Objects, Since: day}.ChainState(), "both sides see the same")
}
