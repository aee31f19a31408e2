package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/turn"
)

// decided is the i-th candidate of an order, of which this is to be decided.
func decided(i int, d decision[string]) Candidate[string] {
	b := destination(fmt.Sprintf("p%05d", i), "main")
	return Candidate[string]{Destination: b, Read: b, Position: turn.Position(i + 1), decide: func(Head) decision[string] { return d }}
}

// moving takes the given bytes of a page.
func moving(i, size int) Candidate[string] {
	move := strings.Repeat("m", size-len(`"",`))
	return decided(i, decision[string]{move: &move, attempt: &Attempt{}})
}

func failing(i int) Candidate[string] {
	return decided(i, decision[string]{failure: &Failure{Subject: fmt.Sprint(i), Kind: "k", Reason: "no"}})
}

func inSync(i int) Candidate[string] {
	return decided(i, decision[string]{inSync: BranchStatus{Destination: fmt.Sprint(i)}})
}

func many(n int, candidate func(i int) Candidate[string]) (all []Candidate[string]) {
	for i := range n {
		all = append(all, candidate(i))
	}
	return all
}

func TestPageMovesAsManyAsItMay(t *testing.T) {
	t.Parallel()
	small := many(MaxPageSize+1, func(i int) Candidate[string] { return moving(i, 10) })
	for size, want := range map[int]int{-1: DefaultPageSize, 0: DefaultPageSize, 1: 1, MaxPageSize: MaxPageSize, MaxPageSize + 1: DefaultPageSize} {
		p := NewPage[string](PageRequest{Size: size})
		require.Equal(t, want, p.Add(small, nil, nil, noon), "size %d", size)
		require.True(t, p.IsFull())
		require.Len(t, p.Moves, want)
	}
}

// What does not fit waits for the next page, and so does all that comes after it in the order.
func TestPageEndsBeforeWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for detail, limit := range map[bool]int{false: maxMovesSize, true: maxShownSize} {
		p := NewPage[string](PageRequest{Detail: detail})
		quarters := many(5, func(i int) Candidate[string] { return moving(i, limit/4) })
		require.Equal(t, 1, p.Add(quarters[:1], nil, nil, noon))
		branches, bytes := p.Remaining()
		require.Equal(t, []int{DefaultPageSize - 1, limit * 3 / 4}, []int{branches, bytes})
		require.False(t, p.IsFull())
		require.Equal(t, 3, p.Add(quarters[1:], nil, nil, noon))
		require.True(t, p.IsFull())
		require.Zero(t, p.Add([]Candidate[string]{inSync(5)}, nil, nil, noon))
		page := p.Finish(2)
		require.Equal(t, []int{4, 4, 2}, []int{len(page.Moves), page.Checked, page.Left})
		require.Equal(t, quarters[3].Position, page.Reached)
	}
}

// One that would not fit into any page is alone in its own: it would be in the way of all that come after it.
func TestPageTakesOneThatIsTooLarge(t *testing.T) {
	t.Parallel()
	p := NewPage[string](PageRequest{})
	require.Equal(t, 1, p.Add([]Candidate[string]{moving(0, 2*maxMovesSize), moving(1, 10)}, nil, nil, noon))
	require.Len(t, p.Moves, 1)
}

// A page that is shown lists each failure and each branch that is in sync. One that is worked on only counts them.
func TestShownPageListsAll(t *testing.T) {
	t.Parallel()
	for name, candidate := range map[string]func(i int) Candidate[string]{"failing": failing, "in sync": inSync} {
		all := many(20_050, candidate)
		worked := NewPage[string](PageRequest{})
		require.Equal(t, len(all), worked.Add(all, nil, nil, noon), name)
		require.Empty(t, worked.InSync)
		require.Equal(t, len(all), worked.UpToDate+worked.Count())

		var shown []string
		for r := (PageRequest{Detail: true}); len(shown) < len(all); {
			p := NewPage[string](r)
			took := p.Add(all[len(shown):], nil, nil, noon)
			require.Positive(t, took)
			require.Equal(t, len(shown)+took < len(all), p.IsFull())
			require.Zero(t, p.FailedMore)
			require.LessOrEqual(t, len(p.Failed), maxFailures/2)
			require.Less(t, size(t, p.InSync), maxInSyncSize+100)
			for _, f := range p.Failed {
				shown = append(shown, f.Subject)
			}
			for _, s := range p.InSync {
				shown = append(shown, s.Destination)
			}
			r.After = p.Finish(0).Reached
		}
		for i, subject := range shown {
			require.Equal(t, fmt.Sprint(i), subject, name)
		}
	}
}

// Failures of the configuration come first in a page, however many they are: branches still get their turn.
func TestShownPageGoesOnBesideOtherFailures(t *testing.T) {
	t.Parallel()
	p := NewPage[string](PageRequest{Detail: true, After: 7})
	require.Equal(t, turn.Position(7), p.Finish(0).Reached, "nothing is behind it yet")
	for range maxFailures {
		p.Fail(Failure{})
	}
	require.Equal(t, 1, p.Add([]Candidate[string]{moving(8, 10), moving(9, 10)}, nil, nil, noon))
}

func TestCandidateSaysWhatItTakes(t *testing.T) {
	t.Parallel()
	require.True(t, moving(0, 10).NeedsMove(Head{}))
	require.Equal(t, 10, moving(0, 10).JSONSize(Head{}))
	for name, size := range map[string]int{
		"not asked for": moving(0, 10).JSONSize(Head{NotQueried: true, Unreachable: true, Err: errors.New("no time")}),
		"in sync":       inSync(0).JSONSize(Head{}),
		"failing":       failing(0).JSONSize(Head{}),
	} {
		require.Zero(t, size, name)
	}
}
