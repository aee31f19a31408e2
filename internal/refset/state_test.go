package refset_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/refset"
)

func TestStateIsThatOfTheList(t *testing.T) {
	t.Parallel()
	var s refset.State
	require.Empty(t, s.ID())
	l := newList(t, refset.Ref{Part: "heads/a", Object: a}, refset.Ref{Part: "heads/a-b", Object: b}, refset.Ref{Part: "tags/v1", Object: c, Peeled: a})
	for i, ref := range l {
		require.NoError(t, s.Add(ref))
		require.Equal(t, l[:i+1].StateID(), s.ID())
	}
	for want, ref := range map[string]refset.Ref{
		`"tags/v1" is not in order`: {Part: "tags/v1", Object: a},
		`"tags/v0" is not in order`: {Part: "tags/v0", Object: a},
		"is not a full SHA-1":       {Part: "tags/v2", Object: none},
		"is not part of a ref's":    {Part: "tags/v 2", Object: a},
	} {
		require.ErrorContains(t, s.Add(ref), want)
	}
	require.Equal(t, l.StateID(), s.ID())
}

func TestStateIsBounded(t *testing.T) {
	t.Parallel()
	var s refset.State
	for i := range refset.MaxRefs {
		require.NoError(t, s.Add(refset.Ref{Part: fmt.Sprintf("%06d", i), Object: a}))
	}
	require.ErrorIs(t, s.Add(refset.Ref{Part: "x", Object: a}), refset.ErrTooMany)
}

func TestListSummary(t *testing.T) {
	t.Parallel()
	l := newList(t, refset.Ref{Part: "heads/a", Object: a}, refset.Ref{Part: "tags/" + strings.Repeat("v", 9), Object: a}, refset.Ref{Part: "tags/w", Object: a})
	require.Equal(t, "1 branch, 2 tags", l.Summary("refs/*"))
	require.Equal(t, "3 branches", l.Summary("refs/heads/*"))
}
