package plan

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Two syncs that have a ref of the destination in common are both refused, and name each other.
func TestOverlapsAreRefused(t *testing.T) {
	other := sync("other", "refs/*")
	for name, syncs := range map[string][2]project.Sync{
		"a branch of a set":       {sync("a", "release-1"), sync("a", "refs/heads/release-*")},
		"a tag of a project":      {sync("a", "refs/tags/v1"), sync("a", "refs/*")},
		"a set in a set":          {sync("a", "refs/heads/release-*"), sync("a", "refs/heads/*")},
		"branches of a project":   {sync("a", "refs/heads/*"), sync("a", "refs/*")},
		"in another spelling":     {{Source: source("b", "main"), Destination: destination("A", "main")}, sync("a", "refs/heads/*")},
		"at the destination only": {{Source: source("b", "refs/heads/*"), Destination: destination("a", "refs/heads/b/*")}, {Source: source("c", "main"), Destination: destination("a", "b/c")}},
	} {
		t.Run(name, func(t *testing.T) {
			accepted, refused := ValidateSyncs([]project.Sync{syncs[0], other, syncs[1]})
			require.Equal(t, []project.Sync{other}, accepted)
			require.Len(t, refused, 2)
			for i, failure := range refused {
				require.Equal(t, KindDuplicateDestination, failure.Kind)
				require.Equal(t, syncs[i].Destination.String(), failure.Subject)
				require.Equal(t, fmt.Sprintf("the sync %s has refs of its destination in common with the sync %s, and each would overwrite the other's: keep one of them, or name less in one",
					syncs[i], syncs[1-i]), failure.Reason)
			}
		})
	}
	apart := []project.Sync{sync("a", "main"), sync("a", "refs/heads/release-*"), sync("a", "refs/tags/*"), sync("a", "release-"), sync("b", "refs/*"), sync("c", "main")}
	accepted, refused := ValidateSyncs(apart)
	require.Empty(t, refused)
	require.Equal(t, apart, accepted)
}

// Ten thousand syncs of one project are compared in little time, however they overlap.
func TestManyOverlaps(t *testing.T) {
	const many = 10_000
	var apart, around, nested []project.Sync
	for i := range many {
		apart = append(apart, sync("a", fmt.Sprintf("refs/heads/%05d-*", i)))
		around = append(around, sync("a", fmt.Sprintf("branch-%05d", i)))
		nested = append(nested, sync("a", fmt.Sprintf("refs/heads/%0*d*", 1+i%200, i/200)))
	}
	around = append(around, sync("a", "refs/heads/*"))
	for name, test := range map[string]struct {
		syncs    []project.Sync
		accepted int
	}{"apart": {apart, many}, "all in one": {around, 0}, "one in another": {nested, 0}} {
		began := time.Now()
		accepted, refused := ValidateSyncs(test.syncs)
		t.Logf("%s: %s", name, time.Since(began))
		if test.accepted == many {
			require.Len(t, accepted, many, name)
		}
		require.Len(t, refused, len(test.syncs)-len(accepted), name)
		require.Less(t, time.Since(began), 10*time.Second, "a comparison of each with each takes minutes")
	}
}

// A set is where the last push left it: other refs that match may be there, too.
func TestPushesOfSets(t *testing.T) {
	set := destination("router", "refs/tags/*")
	for name, test := range map[string]struct {
		head   Head
		reason string // "" means up to date
	}{
		"as it was left":            {Head{Commit: b, Noted: b}, ""},
		"as left, with more refs":   {Head{Commit: c, Noted: c}, ""},
		"changed since":             {Head{Commit: b, Noted: c}, "the destination's refs have changed since they were pushed: put the refs in state bbbbbbb"},
		"not noted":                 {Head{Commit: b}, "the destination has yet to note the bucket's newest object: put the refs in state bbbbbbb"},
		"nothing there":             {Head{}, "no ref of the destination matches refs/tags/* yet: put the refs in state bbbbbbb"},
		"nothing there, but a note": {Head{Noted: b}, "no ref of the destination matches refs/tags/* yet: put the refs in state bbbbbbb"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, required := range []bool{false, true} {
				out := planPushes(PushPlanner{Allow: project.AllowAll(), RequireNoted: required, Chains: bucket(map[project.Branch][]string{set: {a, b}})},
					map[project.Branch]Head{set: test.head})
				require.Empty(t, out.Failed)
				if test.reason == "" {
					require.Equal(t, 1, out.UpToDate)
					continue
				}
				require.Equal(t, test.reason, out.Moves[0].Reason)
			}
		})
	}
}

// What is said of a set's states does not call them commits.
func TestUploadsOfSets(t *testing.T) {
	set := sync("router", "refs/tags/*")
	chains := bucket(map[project.Branch][]string{set.Destination: {a, b}})
	broken := chain.Build([]object.Stored{{ID: object.ID{Destination: set.Destination, Commit: a, Base: c}, Key: "k", Modified: time.Unix(1, 0)}})
	for name, test := range map[string]struct {
		chains       map[project.Branch]chain.Chain
		head         Head
		reason, base string
	}{
		"new":           {nil, Head{Commit: a}, "nothing in the bucket yet: snapshot", ""},
		"changed":       {chains, Head{Commit: c}, "the source's refs have changed: increment on state bbbbbbb", b},
		"up to date":    {chains, Head{Commit: b}, "", ""},
		"chain broken":  {broken, Head{Commit: a}, "the source's refs are still in state aaaaaaa, the bucket's chain is broken: snapshot", ""},
		"none there":    {chains, Head{}, "no ref matches refs/tags/*", ""},
		"none and none": {nil, Head{}, "no ref matches refs/tags/*", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := planUploads(UploadPlanner{Syncs: []project.Sync{set}, Chains: test.chains}, map[project.Branch]Head{set.Source: test.head})
			require.Empty(t, out.Failed)
			if test.reason == "" {
				require.Equal(t, 1, out.UpToDate)
				return
			}
			require.Contains(t, out.Moves[0].Reason, test.reason)
			require.Equal(t, test.base, out.Moves[0].Base)
		})
	}
	shown := planUploads(UploadPlanner{PageRequest: PageRequest{Detail: true}, Syncs: []project.Sync{set}}, map[project.Branch]Head{set.Source: {}})
	require.Equal(t, []Failure{{Subject: "dst/router@refs/tags/*", Kind: KindBranchNotFound, Reason: "source src/router@refs/tags/*: no ref matches refs/tags/*"}}, shown.Failed)
}

// The predecessor's consumer is not written sets for.
func TestPredecessorTakesNoSets(t *testing.T) {
	accepted, refused := UploadPlanner{Syncs: []project.Sync{sync("a", "refs/heads/*"), sync("b", "main")}, WritePredecessor: true}.ValidateSyncs()
	require.Equal(t, []project.Sync{sync("b", "main")}, accepted)
	require.Len(t, refused, 1)
	require.Equal(t, KindPredecessorBranch, refused[0].Kind)
	require.Contains(t, refused[0].Reason, `"refs/heads/*" is a set of refs`)
}

// Of two chains that have refs in common, the one with the newest object is pushed.
func TestCoveredChainsAreNotPushed(t *testing.T) {
	main, set, tag := destination("router", "main"), destination("router", "refs/heads/*"), destination("router", "refs/tags/v1")
	late := destination("Router", "main")
	for name, test := range map[string]struct {
		commits map[project.Branch][]string
		newest  map[project.Branch]object.Stored // not among the chains
		pushed  []project.Branch
		covered string
	}{
		"a set follows a branch":      {map[project.Branch][]string{main: {a}, set: {a, b}, tag: {a}}, nil, []project.Branch{set, tag}, "covered by dst/router@refs/heads/*, which has a newer object: nothing is pushed of this one"},
		"a branch follows a set":      {map[project.Branch][]string{main: {a, b}, set: {a}}, nil, []project.Branch{main}, "covered by dst/router@main"},
		"in another spelling":         {map[project.Branch][]string{late: {a, b}, set: {a}}, nil, []project.Branch{late}, "covered by dst/Router@main"},
		"in the same second":          {map[project.Branch][]string{main: {a}, set: {a}}, nil, []project.Branch{set}, "covered by dst/router@refs/heads/*"},
		"the newer one is not listed": {map[project.Branch][]string{main: {a}}, map[project.Branch]object.Stored{set: {ID: object.ID{Destination: set}, Modified: time.Unix(1, 0)}}, nil, "covered by dst/router@refs/heads/*"},
		"the older one is not listed": {map[project.Branch][]string{main: {a, b}}, map[project.Branch]object.Stored{set: {ID: object.ID{Destination: set}, Modified: time.Unix(0, 0)}}, []project.Branch{main}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := planPushes(PushPlanner{PageRequest: PageRequest{Detail: true}, Allow: project.AllowAll(), Chains: bucket(test.commits), Newest: test.newest}, nil)
			var pushed []project.Branch
			for _, push := range out.Moves {
				pushed = append(pushed, push.Destination)
			}
			require.ElementsMatch(t, test.pushed, pushed)
			if test.covered == "" {
				require.Empty(t, out.InSync)
				return
			}
			require.Len(t, out.InSync, 1)
			require.Contains(t, out.InSync[0].Reason, test.covered)
		})
	}
}

// What an earlier configuration has uploaded later keeps a chain back that is configured again: it is uploaded anew, though its
// tip is the source's head.
func TestCoveredChainsAreUploadedAgain(t *testing.T) {
	main, set := sync("router", "main"), sync("router", "refs/heads/*")
	plan := func(p UploadPlanner) Page[Upload] {
		heads := map[project.Branch]Head{main.Source: {Commit: a}, set.Source: {Commit: a}}
		return planUploads(p, heads)
	}
	covered := bucket(map[project.Branch][]string{main.Destination: {a}, set.Destination: {b, c}, destination("router", "refs/tags/*"): {a, b, c}})
	page := plan(UploadPlanner{Syncs: []project.Sync{main}, Chains: covered})
	require.Len(t, page.Moves, 1)
	require.Empty(t, page.Moves[0].Base)
	require.Equal(t, "source is at aaaaaaa, but the bucket has a newer object of dst/router@refs/heads/*, which is not configured and has refs in common: snapshot", page.Moves[0].Reason)
	require.NotEmpty(t, page.Moves[0].SeenChain.Key)

	back := bucket(map[project.Branch][]string{main.Destination: {b, c}, set.Destination: {a}})
	require.Contains(t, plan(UploadPlanner{Syncs: []project.Sync{set}, Chains: back}).Moves[0].Reason, "the source's refs are still in state aaaaaaa, but")

	back[main.Destination] = chain.Build([]object.Stored{{ID: object.ID{Destination: main.Destination, Commit: b}, Key: "old", Modified: time.Unix(1, 0), SourceBranch: "main"}})[main.Destination]
	require.Len(t, plan(UploadPlanner{Syncs: []project.Sync{set}, Chains: back}).Moves, 1, "the predecessor's, which may be pushed")

	newest := bucket(map[project.Branch][]string{main.Destination: {b, a}, set.Destination: {b}})
	require.Equal(t, 1, plan(UploadPlanner{Syncs: []project.Sync{main}, Chains: newest}).UpToDate)
}

// Nobody has signed the predecessor's objects. They keep nothing back where they are not pushed.
func TestPredecessorsObjectCoversNoSet(t *testing.T) {
	set := destination("router", "refs/heads/*")
	objects := []object.Stored{
		{ID: object.ID{Destination: set, Commit: a}, Key: "set", Modified: time.Unix(0, 0)},
		{ID: object.ID{Destination: destination("router", "main"), Commit: a}, Key: "main", Modified: time.Unix(1, 0), SourceBranch: "main"},
	}
	planner := PushPlanner{Allow: project.AllowAll(), Chains: chain.Build(objects)}
	out := planPushes(planner, nil)
	require.Len(t, out.Moves, 1)
	require.Equal(t, set, out.Moves[0].Destination)
	require.Len(t, out.Failed, 1)
	require.Equal(t, KindPredecessorObject, out.Failed[0].Kind)

	planner.ReadPredecessor = true
	out = planPushes(planner, nil)
	require.Len(t, out.Moves, 1)
	require.Equal(t, destination("router", "main"), out.Moves[0].Destination)
}

// Branches that a set takes over are not lost: they do not count as such, whether they are still there or deleted, and are
// deleted after the time that all have.
func TestCoveredOrphansDoNotCount(t *testing.T) {
	set := sync("router", "refs/*")
	chains := bucket(map[project.Branch][]string{set.Destination: {a}, destination("router", "main"): {a}, destination("router", "stable"): {a}, destination("router", "refs/tags/v1"): {a}})
	r := Retention{After: 24 * time.Hour, MaxShare: 0.5}
	began := time.Unix(1_000_000, 0)
	out := r.Orphans([]project.Sync{set}, chains, Omitted{}, Absence{}, began)
	require.Nil(t, out.Failure)
	require.Empty(t, out.Due)
	require.Len(t, out.Absence.Branches, 3)

	due := began.Add(r.After)
	out = r.Orphans([]project.Sync{set}, chains, Omitted{}, out.Absence, due)
	require.Nil(t, out.Failure)
	require.Len(t, out.Due, 3)
	require.Equal(t, Absence{Branches: []Absent{}}, out.Absence.RecordDeletion(out.Due, due))

	mixed := slices.Concat(out.Due, []project.Branch{destination("gone", "main")})
	require.Equal(t, []Deletion{{due.UTC(), 1}}, out.Absence.RecordDeletion(mixed, due).Deleted)

	r.MaxShare = 0
	out = r.Orphans([]project.Sync{set}, chains, Omitted{}, out.Absence, due)
	require.Empty(t, out.Due, "PRUNE_MAX_SHARE=0 never deletes")
	require.Equal(t, KindPruneRefused, out.Failure.Kind)
	require.Contains(t, out.Failure.Reason, "3 of 4 destinations")
}
