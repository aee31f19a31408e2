package contract_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// The next cycle comes before the one that waits gives up.
func TestWaitBetween(t *testing.T) {
	require.Equal(t, contract.Limits{}.WithDefaults().WaitSeconds, contract.WaitSecondsFor(5*time.Minute))
	for every, want := range map[time.Duration]int{time.Second: 1, 10 * time.Second: 8, time.Hour: 600, 24 * time.Hour: 600} {
		require.Equal(t, want, contract.WaitSecondsFor(every), every)
	}
}

func TestLimitsAreBounded(t *testing.T) {
	require.Equal(t, contract.Limits{MaxInFlight: 16, PageSize: 200, WaitSeconds: 240}, contract.Limits{}.WithDefaults())
	require.Equal(t, contract.Limits{MaxInFlight: 16, PageSize: 200, WaitSeconds: 240}, contract.Limits{MaxInFlight: -1, PageSize: -1, WaitSeconds: -1}.WithDefaults())
	const most = 1 << 40
	require.Equal(t, contract.Limits{MaxInFlight: 256, PageSize: 500, WaitSeconds: 86_400}, contract.Limits{MaxInFlight: most, PageSize: most, WaitSeconds: most}.WithDefaults())
	least := contract.Limits{MaxInFlight: 1, PageSize: 1, WaitSeconds: 1}
	require.Equal(t, least, least.WithDefaults())
}

// A child is slow after a quarter of the cycle's patience, and after a minute at most.
func TestSlowAfter(t *testing.T) {
	for seconds, want := range map[int]time.Duration{8: 2 * time.Second, 240: time.Minute, 86_400: time.Minute} {
		require.Equal(t, want, contract.Limits{WaitSeconds: seconds}.SlowAfter(), seconds)
	}
}

func TestSubset(t *testing.T) {
	only, err := contract.CycleInput{}.Subset()
	require.NoError(t, err)
	require.Empty(t, only, "which is no limit")
	only, err = contract.CycleInput{Only: []string{"a/b/c@release-*", "a/b@refs/heads/main"}}.Subset()
	require.NoError(t, err)
	require.Equal(t, []project.Branch{{Group: "a/b", Name: "c", Branch: "refs/heads/release-*"}, {Group: "a", Name: "b", Branch: "main"}}, only)
	_, err = contract.CycleInput{Only: slices.Repeat([]string{"a/b@main"}, 200)}.Subset()
	require.NoError(t, err)
	for _, wrong := range [][]string{{""}, {"a/b@main", "b@main"}, slices.Repeat([]string{"a/b@main"}, 201)} {
		_, err = contract.CycleInput{Only: wrong}.Subset()
		require.Error(t, err)
	}
}
