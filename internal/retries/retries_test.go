package retries

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	b := Budget{First: time.Second, Longest: 5 * time.Second, Attempts: 6}
	var pauses []time.Duration
	for attempt := 1; ; attempt++ {
		pause, more := b.Next(attempt)
		if !more {
			break
		}
		pauses = append(pauses, pause/time.Second)
	}
	require.Equal(t, []time.Duration{1, 2, 4, 5, 5}, pauses)
	require.Equal(t, 17*time.Second, b.Patience())
	_, more := Budget{Attempts: 1}.Next(1)
	require.False(t, more)
	_, more = b.Next(1000) // of a policy with more attempts
	require.False(t, more)
}

func TestSpread(t *testing.T) {
	t.Parallel()
	require.Zero(t, Spread(0))
	seen := map[time.Duration]bool{}
	for range 100 {
		pause := Spread(time.Minute)
		require.LessOrEqual(t, pause, time.Minute)
		require.GreaterOrEqual(t, pause, 45*time.Second)
		seen[pause] = true
	}
	require.Greater(t, len(seen), 10)
}

// What is gone within seconds fails no run, a server is not asked more than a few times a minute by one, and nothing waits for
// longer than a cycle's patience.
func TestBudgetsAreSized(t *testing.T) {
	t.Parallel()
	for class, b := range budgets {
		require.LessOrEqual(t, b.Patience(), 4*time.Minute, class)
		require.GreaterOrEqual(t, b.Longest, b.First, class)
		require.Positive(t, b.First, "0 leaves it to Temporal")
		require.LessOrEqual(t, b.First, 10*time.Second, class)
	}
	require.Greater(t, Passing.Budget().Patience()*3/4, time.Minute, "also if all pauses are short")
	for _, class := range []Class{Refused, StartsOver, NextCycle, "unknown"} {
		require.False(t, class.Passes(), class)
	}
}

func TestRest(t *testing.T) {
	t.Parallel()
	minutes := func(f Failing) (pauses []int) {
		for f.Times = 1; f.Times <= 7; f.Times++ {
			pauses = append(pauses, int(f.Rest()/time.Minute))
		}
		return pauses
	}
	require.Equal(t, []int{5, 10, 20, 40, 60, 60, 60}, minutes(Failing{}))
	require.Equal(t, []int{0, 5, 10, 20, 30, 30, 30}, minutes(Failing{Cheap: true}))
	require.Equal(t, []int{0, 2, 2, 2, 2, 2, 2}, minutes(Failing{Passing: true, Cheap: true, Took: 2 * time.Minute}))
	require.Equal(t, []int{0, 30, 30, 30, 30, 30, 30}, minutes(Failing{Passing: true, Cheap: true, Took: 2 * time.Hour}))
}

// docs/errors.md has the figures.
func TestFiguresAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/errors.md")
	require.NoError(t, err)
	for _, class := range []Class{Passing, Busy, Race, Full, Refused, StartsOver, NextCycle} {
		row := fmt.Sprintf("| *%s* |", class)
		at := strings.Index(string(text), row)
		require.Positive(t, at, class)
		if b := class.Budget(); class.Passes() {
			figures := fmt.Sprintf(" %s, doubled up to %s; %d attempts in %s", short(b.First), short(b.Longest), b.Attempts, short(b.Patience()))
			line, _, _ := strings.Cut(string(text[at:]), "\n")
			require.Contains(t, line, figures)
		}
	}
	for _, figure := range []string{
		fmt.Sprintf("%s, doubled up to %s", short(costly.First), short(costly.Longest)), fmt.Sprintf("%s, doubled up to %s", short(cheap.First), short(cheap.Longest)),
		fmt.Sprintf("for as long as the last run took, %s at most", short(LongestRest)), fmt.Sprintf("up to %s", short(LongestAsked)),
		fmt.Sprintf("%d of those that keep failing so", Probes), fmt.Sprintf("%d have failed", MaxFailures),
	} {
		require.Contains(t, string(text), figure)
	}
}

// short is as in "1 s" and "2 min 15 s".
func short(d time.Duration) string {
	var words []string
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.length; n > 0 {
			words, d = append(words, fmt.Sprintf("%d %s", n, unit.name)), d%unit.length
		}
	}
	return strings.Join(words, " ")
}
