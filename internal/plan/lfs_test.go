package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// What does not fit is counted, and it is not the largest.
func TestLFSInBucketIsBounded(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int{"many": 0, "long names": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const projects = 5*maxLFSProjects + 7
			var all LFSInBucket
			for i := range projects {
				all.Add(LFSProject{Project: fmt.Sprintf("g/%s%d", strings.Repeat("n", length), i), LFSUsage: LFSUsage{Objects: 2, Size: int64(i * 7 % projects)}})
				require.Less(t, len(all.Projects), 2*maxLFSProjects)
			}
			all.Finish()
			require.Equal(t, 2*projects, all.Objects)
			require.EqualValues(t, projects*(projects-1)/2, all.Size)
			require.Equal(t, projects, len(all.Projects)+all.MoreProjects)
			require.Less(t, jsonSize(all), maxLFSSize+200)
			require.True(t, len(all.Projects) == maxLFSProjects || jsonSize(all) > maxLFSSize-300, "there is room for more")
			for i, p := range all.Projects {
				require.EqualValues(t, projects-1-i, p.Size)
			}
		})
	}
}

func TestLFSOfProject(t *testing.T) {
	t.Parallel()
	var all *LFSInBucket
	require.Nil(t, all.Project("g/n"))
	all = &LFSInBucket{}
	all.Add(LFSProject{Project: "g/n", LFSUsage: LFSUsage{Objects: 1, Size: 2}})
	all.Finish()
	require.Equal(t, &LFSUsage{1, 2}, all.Project("g/n"))
	require.Nil(t, all.Project("g/other"))
}

// A consumer's plan says how many LFS objects a push needs where the catalog knows all of them.
func TestPushesSayWhatTheyNeedOfLFS(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		has          []string
		head         Head
		objects      int
		commit, base string // of the object that is named
		known        bool
	}{
		"an increment":              {[]string{a, b}, Head{Commit: a}, 12, b, a, true},
		"one LFS object":            {[]string{a, b}, Head{Commit: a}, 1, b, a, true},
		"a snapshot":                {[]string{b}, Head{Commit: a}, 12, b, "", true},
		"no LFS object":             {[]string{a, b}, Head{Commit: a}, 0, b, a, false},
		"all of the chain":          {[]string{a, b}, Head{Commit: "ccc"}, 12, b, a, false},
		"the one before is named":   {[]string{a, b}, Head{Commit: "ccc"}, 12, a, "", false},
		"only to be noted":          {[]string{b}, Head{Commit: b}, 12, b, "", false},
		"not the one that is named": {[]string{a, b}, Head{Commit: a}, 12, b, "", false},
		"nor another commit":        {[]string{a, b}, Head{Commit: a}, 12, a, a, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			main := destination("router", "main")
			c := catalogOf(map[project.Branch]int64{main: 0})
			c.Syncs[0].Object.Commit, c.Syncs[0].Object.Base = tt.commit, tt.base
			c.Syncs[0].Object.LFSObjects, c.Syncs[0].Object.LFSSize = tt.objects, 3_100_000_000
			page := planPushes(PushPlanner{
				Chains: bucket(map[project.Branch][]string{main: tt.has}), Allow: project.AllowAll(), Catalog: c, RequireNoted: true,
			}, map[project.Branch]Head{main: tt.head})
			require.Len(t, page.Moves, 1)
			reason := page.Moves[0].Reason
			if !tt.known {
				require.NotContains(t, reason, "LFS")
				return
			}
			noun := map[bool]string{true: "1 LFS object", false: "12 LFS objects"}[tt.objects == 1]
			require.Equal(t, "the destination is at "+Short(a)+", the bucket at "+Short(b)+", which needs "+noun+", 3.1 GB", reason)
		})
	}
}
