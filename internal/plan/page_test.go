package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// temporalLimit is what Temporal takes as one result.
const temporalLimit = 2 << 20

// longest is a branch with the longest names, each byte of which may take six as JSON.
func longest(i int) project.Branch {
	return project.Branch{Group: strings.Repeat("g", 120), Name: strings.Repeat("n", 125) + fmt.Sprintf("%05d", i), Branch: strings.Repeat("<", 250)}
}

func size(t *testing.T, v any) int {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return len(text)
}

// Whatever the bucket and the configuration hold, Temporal takes a page of the plan, whether it is worked on or shown.
func TestPagesFitIntoTemporal(t *testing.T) {
	t.Parallel()
	const branches = 1000
	producer, consumer := UploadPlanner{}, PushPlanner{Allow: project.AllowAll(), Chains: map[project.Branch]chain.Chain{}}
	kinds := map[string]Head{
		"moved": {Commit: c}, "in sync": {Commit: b}, "failing": {Unreachable: true, Err: fmt.Errorf("%s", strings.Repeat("&", 3_000))},
	}
	var absence Absence
	for i := range branches {
		producer.Syncs = append(producer.Syncs, project.Sync{Source: longest(i), Destination: longest(i)})
		var objects []object.Stored
		for n := range 11 {
			o := object.Stored{Key: fmt.Sprintf("%01000d", n), Size: 1 << (20 - n), Modified: time.Unix(int64(n), 0)}
			o.Destination, o.Commit, o.Base = longest(i), fmt.Sprintf("%040d", n), fmt.Sprintf("%040d", n-1)
			if n == 0 {
				o.Base = ""
			}
			if n == 10 {
				o.Commit = b
			}
			objects = append(objects, o)
		}
		consumer.Chains[longest(i)] = chain.Chain{Objects: objects}
		absence.Branches = append(absence.Branches, Absent{Destination: longest(i), Since: day, Covered: true})
	}
	producer.Chains = consumer.Chains
	orphans := Retention{MaxShare: 1}.Orphans(configured("one"), consumer.Chains, Omitted{}, absence, day)
	require.Greater(t, len(orphans.Due), 50)
	require.Less(t, size(t, orphans), temporalLimit/6)

	for name, head := range kinds {
		heads := map[project.Branch]Head{}
		for i := range branches {
			heads[longest(i)] = head
		}
		for _, detail := range []bool{false, true} {
			for _, pageSize := range []int{0, 1, 500, 1 << 30} {
				r := PageRequest{Detail: detail, Size: pageSize}
				producer.Detail, consumer.Detail = detail, detail
				candidates, _ := producer.Candidates()
				u, p := planned(candidates, 0, r, heads, nil), planned(consumer.Candidates(), 0, r, heads, nil)
				u.Orphans, u.Deletable = orphans, orphans.Deletable(consumer.Chains)
				require.NotEmpty(t, u.Deletable)
				for i := range branches {
					u.Pause(fleet.Pause{Destination: longest(i).String(), Reason: strings.Repeat("<", 200), By: strings.Repeat("<", 200)})
				}
				require.Equal(t, branches, len(u.Paused)+u.PausedMore)
				p.Paused = u.Paused
				require.Less(t, size(t, u), temporalLimit*3/4, "%s, %+v", name, r)
				require.Less(t, size(t, p), temporalLimit*3/4, "%s, %+v", name, r)
				require.Equal(t, branches, u.Checked+u.Left)
				require.Equal(t, branches, p.Checked+p.Left)
				require.Equal(t, u.Checked, u.UpToDate+len(u.Moves)+u.Count(), "none is passed over")
				require.Equal(t, p.Checked, p.UpToDate+len(p.Moves)+p.Count(), "none is passed over")
				require.Positive(t, u.Checked)
				require.Positive(t, p.Checked)
				require.LessOrEqual(t, max(len(u.Moves), len(p.Moves)), MaxPageSize)
				require.Equal(t, name == "failing", u.Count() > 0)
			}
		}
	}
}

// Pages one after the other have each branch once, in the order of the turn, whatever their size.
func TestPagesHaveEachBranchOnce(t *testing.T) {
	t.Parallel()
	const branches = 50
	heads, commits := map[project.Branch]Head{}, map[project.Branch][]string{}
	var syncs []project.Sync
	for i := range branches {
		s := sync(fmt.Sprintf("p%d", i/3), fmt.Sprintf("b%d", i))
		syncs, commits[s.Destination] = append(syncs, s), []string{a}
		heads[s.Source], heads[s.Destination] = Head{Commit: b}, Head{Commit: b}
		if i%5 == 0 { // those that are in sync take no room
			heads[s.Source], heads[s.Destination] = Head{Commit: a}, Head{Commit: a}
		}
	}
	for _, size := range []int{1, 7, 49, 50, 200} {
		var uploads, pushes []project.Branch
		request := PageRequest{Order: 3, Size: size}
		for {
			candidates, _ := UploadPlanner{Syncs: syncs, Chains: bucket(commits), PageRequest: request}.Candidates()
			page := planned(candidates, 0, request, heads, nil)
			require.LessOrEqual(t, len(page.Moves), size)
			for _, u := range page.Moves {
				uploads = append(uploads, u.Sync.Destination)
			}
			other := planned(PushPlanner{Allow: project.AllowAll(), Chains: bucket(commits), PageRequest: request}.Candidates(), 0, request, heads, nil)
			require.Equal(t, page.Reached, other.Reached)
			for _, p := range other.Moves {
				pushes = append(pushes, p.Destination)
			}
			if request.After = page.Reached; page.Left == 0 {
				break
			}
		}
		require.Len(t, uploads, branches*4/5)
		require.Equal(t, uploads, pushes)
		require.True(t, slices.IsSortedFunc(uploads, request.Order.Compare))
		slices.SortFunc(uploads, func(a, b project.Branch) int { return strings.Compare(a.String(), b.String()) })
		require.Len(t, slices.Compact(uploads), branches*4/5)
	}
}

// A source is not uploaded anew because there was no room for what the bucket has of it.
func TestUnknownChainsAreLeft(t *testing.T) {
	t.Parallel()
	s := sync("router", "main")
	heads := map[project.Branch]Head{s.Source: {Commit: a}}
	p := UploadPlanner{Syncs: []project.Sync{s}}
	require.Len(t, planUploads(p, heads).Moves, 1)
	p.Syncs = []project.Sync{sync("first", "main"), sync("second", "main"), s}
	p.Covers = func(b project.Branch) bool { return b == s.Destination }
	out := planUploads(p, heads)
	require.Len(t, out.Moves, 1)
	require.Equal(t, s, out.Moves[0].Sync)
	require.Equal(t, 2, out.Left)
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reason string
		listed int
	}{"short": {"no", maxFailures}, "long": {strings.Repeat("<", 10_000), 10}} {
		var f Failures
		for i := range 1000 {
			text := Failures{Failed: f.Failed, FailedMore: f.FailedMore}
			if i%100 == 10 { // it has been through a history
				f = text
			}
			f.Fail(Failure{Subject: fmt.Sprint(i), Kind: "k", Reason: tt.reason})
		}
		require.Len(t, f.Failed, tt.listed, name)
		require.Equal(t, 1000, f.Count())
		require.LessOrEqual(t, size(t, f), maxFailuresSize+100)
		require.LessOrEqual(t, utf8.RuneCountInString(f.Failed[0].Reason), maxReason)
		f.Fail(Failure{Subject: "one that would fit"})
		require.Len(t, f.Failed, tt.listed, "%s: the first are listed", name)
		require.Equal(t, 1001, f.Count())
		all := Failures{}
		all.FailAll(f)
		all.FailAll(f)
		require.Equal(t, 2002, all.Count())
	}
}

// There may be destinations that a plan has no room for. They count, and where they cannot be counted nothing is deleted.
func TestOrphansBesideTheUnlisted(t *testing.T) {
	t.Parallel()
	retention := Retention{MaxShare: 0.5}
	for name, tt := range map[string]struct {
		unlisted Omitted
		due      int
	}{
		"none":            {Omitted{}, 1},
		"configured":      {Omitted{Configured: 10}, 1},
		"as many gone":    {Omitted{Unconfigured: 1}, 0},
		"both":            {Omitted{Unconfigured: 1, Configured: 1}, 1},
		"more than known": {Omitted{Uncountable: true}, 0},
	} {
		out := retention.Orphans(configured("one"), stored("one", "two"), tt.unlisted, Absence{}, day)
		require.Len(t, out.Due, tt.due, name)
		require.Equal(t, tt.due == 0, out.Failure != nil, name)
		require.Equal(t, tt.due == 1, out.Trusted, name)
		unlisted := retention.Orphans(configured("one", "two"), stored("one", "two"), tt.unlisted, Absence{}, day)
		require.Equal(t, !tt.unlisted.Uncountable, unlisted.Trusted, "%s: nobody is gone", name)
	}
}
