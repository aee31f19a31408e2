package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// temporalLimit is what Temporal takes as one result.
const temporalLimit = 2 << 20

// longest is a branch whose names are as long as keys allow.
func longest(i int) project.Branch {
	return project.Branch{Group: strings.Repeat("g", 200), Name: strings.Repeat("n", 200), Branch: fmt.Sprintf("%s%d", strings.Repeat("b", 200), i)}
}

func size(t *testing.T, v any) int {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return len(text)
}

// Whatever the bucket and the configuration hold, Temporal takes the plan, and with it the report of it.
func TestPlansFitIntoTemporal(t *testing.T) {
	t.Parallel()
	var pushes Pushes
	var uploads Uploads
	for i := range 5000 {
		b, key := longest(i), strings.Repeat("k", 1024)
		failure := Failure{Subject: b.String(), Kind: KindUnreachable, Reason: strings.Repeat("&", 300)}
		push := Push{Destination: b, Commit: a, Reason: strings.Repeat("r", 300)}
		upload := Upload{Sync: project.Sync{Source: b, Destination: b}, Base: a, Reason: strings.Repeat("r", 300)}
		for range 11 {
			push.Objects = append(push.Objects, object.Stored{ID: object.ID{Destination: b, Commit: a, Base: c}, Key: key})
			upload.BaseKeys = append(upload.BaseKeys, key)
		}
		inSync := Branch{Destination: b.String()}
		pushes = Pushes{Pushes: append(pushes.Pushes, push), InSync: append(pushes.InSync, inSync), Failures: append(pushes.Failures, failure)}
		uploads = Uploads{Uploads: append(uploads.Uploads, upload), InSync: append(uploads.InSync, inSync), Failures: append(uploads.Failures, failure)}
	}
	require.Greater(t, size(t, pushes), 10*temporalLimit)

	p, u := pushes.Bounded(0), uploads.Bounded(0)
	require.Less(t, size(t, p), temporalLimit*3/4)
	require.Less(t, size(t, u), temporalLimit*3/4)
	require.Equal(t, 5000, len(p.Pushes)+p.Deferred)
	require.Equal(t, 5000, len(u.Uploads)+u.Deferred)
	require.Greater(t, len(p.Pushes), 50)
	left := p.Failures[len(p.Failures)-1]
	require.Equal(t, KindUnreachable, left.Kind)
	require.Equal(t, fmt.Sprintf("%d more failures of this kind are not listed", 5000-(len(p.Failures)-1)), left.Reason)
}

// Those that fail in every cycle do not keep the others out.
func TestWhatIsLeftOutHasItsTurn(t *testing.T) {
	t.Parallel()
	var list []Push
	for i := range 300 {
		list = append(list, Push{Destination: longest(i)})
	}
	name := func(p Push) string { return p.Destination.String() }
	seen := map[string]bool{}
	for n := range turn.Turn(200) {
		fits, left := bounded(list, size(t, list)/10, n, name)
		require.Len(t, list, len(fits)+left)
		require.InDelta(t, 30, len(fits), 2)
		for _, p := range fits {
			seen[name(p)] = true
		}
	}
	require.Len(t, seen, len(list))

	fits, left := bounded(list, size(t, list), 0, name)
	require.Equal(t, list, fits)
	require.Zero(t, left)
}

// A source is not uploaded anew because there was no room for what the bucket has of it.
func TestUnknownChainsAreDeferred(t *testing.T) {
	t.Parallel()
	s := sync("router", "main")
	p := Producer{Syncs: []project.Sync{s}, Heads: map[project.Branch]Head{s.Source: {Commit: a}}}
	require.Len(t, p.Plan().Uploads, 1)
	p.Covers = func(project.Branch) bool { return false }
	out := p.Plan()
	require.Empty(t, out.Uploads)
	require.Equal(t, 1, out.Deferred)
}
