package activities

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Both sides show on request what the bucket has of Git LFS: LFS objects, and not their segments, by project. Only the producer
// knows what is unused.
func TestPlansShowLFS(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	detail := PlanRequest{PageRequest: plan.PageRequest{Detail: true}}
	require.Nil(t, must(r, r.producer.PlanUploads, detail).LFS, "there is none")
	small, large := r.sync.Destination, project.Branch{Group: "Gone", Name: "Large"}
	r.putLFS(small, 1)
	r.putLFS(large, 1)
	for n := range 3 {
		key, err := lfs.Key(large, fmt.Sprintf("%064x", 2), n+1)
		require.NoError(t, err)
		r.put(key, make([]byte, 100))
	}
	want := plan.LFSInBucket{LFSUsage: plan.LFSUsage{Objects: 3, Size: 314}, Projects: []plan.LFSProject{
		{Project: "gone/large", LFSUsage: plan.LFSUsage{Objects: 2, Size: 307}},
		{Project: "mirror/platform/router", LFSUsage: plan.LFSUsage{Objects: 1, Size: 7}},
	}}
	require.Equal(t, &want, must(r, r.consumer.PlanPushes, detail).LFS)
	want.Projects[0].Unused = true
	require.Equal(t, &want, must(r, r.producer.PlanUploads, detail).LFS)
	require.Nil(t, must(r, r.producer.PlanUploads, PlanRequest{}).LFS)
	require.Nil(t, r.planPushes().LFS)

	detail.Only = []project.Branch{r.sync.Destination}
	require.Nil(t, must(r, r.producer.PlanUploads, detail).LFS, "it is not of a single sync")
	require.Nil(t, must(r, r.consumer.PlanPushes, detail).LFS)
}

// lfsFolders are those of so many projects, in the order of a listing.
func lfsFolders(t *testing.T, n int) []string {
	t.Helper()
	folders := make([]string, n)
	for i := range folders {
		var err error
		folders[i], err = lfs.Folder(project.Branch{Group: fmt.Sprint("g", i), Name: "p"})
		require.NoError(t, err)
	}
	slices.Sort(folders)
	return folders
}

// Somebody may write any number of LFS objects, and of keys that only look like some.
func TestLFSUsageIsBounded(t *testing.T) { // not parallel: it measures memory
	const keys = 60_000
	folders := lfsFolders(t, keys/2)
	c := Common{Bucket: fullBucket(t, keys, func(i int) string { return folders[i/2] + fmt.Sprintf("%064x/1.age", i) })}
	var usage *plan.LFSInBucket
	var err error
	heap := peakHeap(func() { usage, _, err = c.lfsUsage(t.Context(), maxLFSKeys) })
	require.NoError(t, err)
	require.Equal(t, keys, usage.Objects)
	require.Equal(t, keys/2, len(usage.Projects)+usage.MoreProjects)
	require.Greater(t, len(usage.Projects), 400)
	require.Less(t, heap, uint64(16<<20))
	require.False(t, usage.Incomplete)
	usage, _, err = c.lfsUsage(t.Context(), keys-3)
	require.NoError(t, err)
	require.True(t, usage.Incomplete)
	require.Equal(t, keys-3, usage.Objects)

	c.Bucket = fullBucket(t, keys, func(i int) string { return fmt.Sprintf("lfs/%07d", i) })
	usage, failures, err := c.lfsUsage(t.Context(), maxLFSKeys)
	require.NoError(t, err)
	require.Equal(t, &plan.LFSInBucket{}, usage)
	require.Len(t, failures, maxReportedKeys+1)
	require.Contains(t, failures[maxReportedKeys].Reason, fmt.Sprint(keys-maxReportedKeys))
}

// Nor does a cycle look at all of them: its listing leads around the folder, and only so many unused projects are looked at.
func TestCycleLooksAtFewLFSObjects(t *testing.T) {
	t.Parallel()
	folders := lfsFolders(t, 5_000)
	var requests atomic.Int64
	p := &Producer{Common: Common{Clock: time.Now, Bucket: countedBucket(t, len(folders), func(i int) string { return folders[i] }, &requests)}}
	all := lfsRule{unused: func(string) bool { return true }, before: time.Now()}
	first, err := p.unusedLFS(t.Context(), all)
	require.NoError(t, err)
	require.Len(t, first, maxUnusedLFS)
	require.EqualValues(t, len(folders)/1000, requests.Load())
	p.Clock = func() time.Time { return time.Now().Add(time.Minute) }
	second, err := p.unusedLFS(t.Context(), all)
	require.NoError(t, err)
	require.NotEqual(t, first, second, "others have their turn")
	none, err := p.unusedLFS(t.Context(), lfsRule{})
	require.NoError(t, err)
	require.Empty(t, none)

	// Of more than it looks through, the first are still found, and of one with very many objects some.
	requests.Store(0)
	p.Bucket = countedBucket(t, maxLFSFolders+5_000, func(i int) string { return fmt.Sprintf("lfs/%07d/", i) }, &requests)
	none, err = p.unusedLFS(t.Context(), all)
	require.NoError(t, err)
	require.Empty(t, none)
	require.EqualValues(t, maxLFSFolders/1000+1, requests.Load())
	p.Bucket = fullBucket(t, maxUnusedKeys+1_500, func(i int) string { return folders[0] + fmt.Sprintf("%064x/1.age", i) })
	group, name, err := lfs.ParseFolder(folders[0])
	require.NoError(t, err)
	found := 0
	for _, err := range p.deletableLFS(t.Context(), project.Branch{Group: group, Name: name}, all) {
		require.NoError(t, err)
		found++
	}
	require.Equal(t, maxUnusedKeys, found)
}

// Where there are too many projects to remember, none counts as unused.
func TestProjectSetThatIsFull(t *testing.T) {
	t.Parallel()
	s := newProjectSet()
	for i := range maxCountedDestinations {
		s.add(fmt.Sprint(i))
	}
	require.True(t, s.has("0"))
	require.False(t, s.has("other"))
	s.add("one more")
	require.True(t, s.has("other"))
}

// A folder that cannot be listed is one failure of a plan, in which all else stands.
func TestLFSThatCannotBeListed(t *testing.T) {
	t.Parallel()
	r, _, _ := newLFSRig(t)
	r.commit("one")
	r.lag.alter = func(resp *http.Response) {
		if strings.HasPrefix(resp.Request.URL.Query().Get("prefix"), lfs.Root) {
			resp.StatusCode = http.StatusForbidden
			resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader("<Error><Code>AccessDenied</Code></Error>")), -1
			resp.Header.Del("Content-Length")
		}
	}
	for _, detail := range []bool{false, true} {
		page := must(r, r.producer.PlanUploads, PlanRequest{PageRequest: plan.PageRequest{Detail: detail}})
		require.Len(t, page.Moves, 1)
		require.NotEmpty(t, page.Failed)
		for _, f := range page.Failed {
			require.Equal(t, "bucket", f.Subject)
			require.Contains(t, f.Reason, "LFS objects")
			require.Contains(t, f.Reason, "access denied")
		}
	}
}
