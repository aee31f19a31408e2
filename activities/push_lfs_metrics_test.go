package activities

import (
	"maps"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// countedResults is a metrics handler that knows what metricLFSObjects has counted, by result.
type countedResults struct {
	client.MetricsHandler
	results *results
	result  string
}

type results struct {
	mu sync.Mutex
	of map[string]int64
}

func (c countedResults) WithTags(tags map[string]string) client.MetricsHandler {
	if tags["result"] != "" {
		c.result = tags["result"]
	}
	return c
}

func (c countedResults) Counter(name string) client.MetricsCounter {
	if name != metricLFSObjects {
		return c.MetricsHandler.Counter(name)
	}
	return counterFunc(func(n int64) {
		c.results.mu.Lock()
		defer c.results.mu.Unlock()
		c.results.of[c.result] += n
	})
}

type counterFunc func(int64)

func (f counterFunc) Inc(n int64) { f(n) }

// taken returns what has been counted since the last call.
func (r *results) taken() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := maps.Clone(r.of)
	maps.DeleteFunc(taken, func(_ string, n int64) bool { return n == 0 })
	clear(r.of)
	return taken
}

// LFS objects are counted by what became of them, also those of an attempt that fails in the end.
func TestLFSObjectsAreCounted(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	counted := &results{of: map[string]int64{}}
	var suite testsuite.WorkflowTestSuite
	suite.SetMetricsHandler(countedResults{MetricsHandler: client.MetricsNopHandler, results: counted})
	r.activities = newActivitiesIn(&suite)
	r.register()

	// One is to be sent, not two: the first refusal ends the other transfer, which the server may take all the same.
	objects := r.store("one", "two")
	gone := lfsObject("gone")
	r.commitPointers(append(objects, gone)...)
	r.produceWith(lfs.Union(lfs.NewList(objects), missing(gone)))
	_, err := r.lfs.Add(destinationRepo, []byte("one"))
	require.NoError(t, err)
	d := r.decrypted()
	counted.taken()

	r.lfs.Switch(func(s *gitserver.LFSSwitches) { s.UploadStatus = http.StatusRequestEntityTooLarge })
	r.failsLFS("LFSTooLarge", d)
	require.Equal(t, map[string]int64{lfsThere: 1}, counted.taken(), "none was sent")
	r.lfs.Switch(func(s *gitserver.LFSSwitches) { s.UploadStatus = 0 })
	must(r.rig, r.pushLFS, d)
	require.Equal(t, map[string]int64{lfsSent: 1, lfsThere: 1, lfsMissing: 1}, counted.taken())

	r.consumer.LFS = nil
	must(r.rig, r.pushLFS, d)
	require.Equal(t, map[string]int64{lfsLeftOut: 3}, counted.taken())
}
