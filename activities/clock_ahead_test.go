package activities

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// storeAhead has the bucket's clock be ahead for what the producer stores, until it is told otherwise. The bucket does not tell its time
// meanwhile.
func (r *rig) storeAhead() (by *atomic.Int64) {
	r.Helper()
	r.inRealTime()
	by = &atomic.Int64{}
	r.lag.alter = func(resp *http.Response) {
		_, key, _ := strings.Cut(strings.TrimPrefix(resp.Request.URL.Path, "/"), "/")
		now := time.Now().Add(time.Duration(by.Load()))
		switch {
		case by.Load() == 0:
		case resp.Request.Method == http.MethodHead:
			resp.Header.Set("Date", "") // else the SDK would sign with it
		case resp.Request.Method == http.MethodPut && resp.StatusCode == http.StatusOK:
			require.NoError(r, r.s3.Date(key, now))
		}
	}
	return by
}

// newAheadRig has three objects in the bucket, the last two of which a clock has made that was more than a day ahead. It is right now.
func newAheadRig(t *testing.T) (r *rig, second string) {
	t.Helper()
	r = newTrustedRig(t)
	ahead := r.storeAhead()
	r.commit(random(40_000))
	r.produce()
	ahead.Store(int64(26 * time.Hour))
	r.commit(random(10_000))
	r.produce()
	ahead.Add(int64(time.Minute)) // has passed
	second = r.commit("two")
	r.produce()
	ahead.Store(0)
	require.Len(t, r.chain().Objects, 3)
	r.consume()
	require.Equal(t, second, r.tip())
	return r, second
}

// What a clock of the bucket's has dated that was ahead is replaced, and at no time does an older object take its place.
func TestBucketClockThatWasAhead(t *testing.T) {
	t.Parallel()
	r, second := newAheadRig(t)
	third := r.commit("three")
	deletions := 0
	r.lag.before = func(req *http.Request) {
		if req.Method == http.MethodDelete || req.Method == http.MethodPost && req.URL.Query().Has("delete") {
			deletions++
			require.Equal(t, second, r.chain().Tip())
		}
	}
	uploaded := r.produce()[0]
	r.lag.before = nil
	require.Equal(t, 2, deletions)
	require.Contains(t, uploaded.Summary, "snapshot "+plan.Short(third)+", ")
	require.Contains(t, uploaded.Summary, whyReplaced)
	require.Equal(t, uploaded.Key, r.chain().Newest().Key)
	require.False(t, r.chain().Newest().Modified.After(time.Now()))
	r.consume()
	require.Equal(t, third, r.tip())
	require.Empty(t, r.produce())

	fourth := r.commit("four")
	require.Equal(t, third, r.produce()[0].ID.Base)
	r.consume()
	require.Equal(t, fourth, r.tip())
}

// The same, where the worker is killed before it has deleted what it replaces, or between two deletions.
func TestKilledBeforeItReplacedWhatWasAhead(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]int{"before": 0, "between": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := newAheadRig(t)
			third := r.commit("three")
			encrypted := r.encrypted(r.planned())
			deletions := 0
			r.lag.before = func(req *http.Request) {
				if req.Method != http.MethodDelete && !req.URL.Query().Has("delete") {
					return
				}
				if deletions++; deletions > done {
					req.URL.Path = "/none" // it does not arrive
				}
			}
			_, err := execute(r, r.upload, encrypted)
			require.Error(t, err)
			r.lag.before = nil
			sent := r.puts()
			must(r, r.upload, encrypted)
			require.Zero(t, sent.Load())
			require.Equal(t, third, r.chain().Tip())
		})
	}
}

// Another producer has replaced it meanwhile, or an attempt that was given up: nothing of that is lost.
func TestOvertakenWhileItReplacesWhatWasAhead(t *testing.T) {
	t.Parallel()
	r, second := newAheadRig(t)
	r.commit("three")
	encrypted := r.encrypted(r.planned())
	rival := object.ID{Destination: r.sync.Destination, Commit: random(20)}
	key, err := rival.Key()
	require.NoError(t, err)
	r.put(key, []byte("rival"))
	before := r.bucketKeys()
	_, err = execute(r, r.upload, encrypted)
	failure := &temporal.ApplicationError{}
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "Overtaken", failure.Type())
	require.ElementsMatch(t, before, r.bucketKeys())
	require.Equal(t, second, r.chain().Tip())
}
