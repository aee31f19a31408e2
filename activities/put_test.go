package activities

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// planned is what the producer would upload now.
func (r *rig) planned() plan.Upload {
	r.Helper()
	uploads := must(r, r.producer.PlanUploads, PlanRequest{}).Moves
	require.Len(r, uploads, 1)
	return uploads[0]
}

// encrypted goes as far as the object that is still to be uploaded.
func (r *rig) encrypted(u plan.Upload) producing {
	r.Helper()
	return must(r, r.encrypt, must(r, r.pack, must(r, r.clone, u)))
}

// direct is the producer's bucket with nothing in between.
func (r *rig) direct() *bucket.Bucket {
	r.Helper()
	b, err := bucket.Open(r.Context(), bucket.Options{Name: r.s3.Name, PathStyle: true}, r.s3.ClientConfig(r.s3.Producer))
	require.NoError(r, err)
	return b
}

// inRealTime has the store date what it is given from now on, as it does for operators: an upload then waits for the second after
// the last one's.
func (r *rig) inRealTime() { r.lag.spread = nil }

// puts counts how often a body is sent to the bucket.
func (r *rig) puts() *atomic.Int64 {
	var n atomic.Int64
	r.lag.before = func(req *http.Request) {
		if req.Method == http.MethodPut {
			n.Add(1)
		}
	}
	return &n
}

// Two producers whose clocks differ, or one whose clock is put back, stop no branch: an object says that it was made
// after the one before, and the consumer takes it for no replay.
func TestClocksOfProducers(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	r.produce()
	r.consume()
	last := time.Now()
	for _, shift := range []time.Duration{5 * time.Minute, -5 * time.Minute, -10 * 365 * 24 * time.Hour} {
		r.producer.Clock = func() time.Time { return time.Now().Add(shift) }
		if shift < -time.Hour {
			r.producer.Clock = func() time.Time { return time.Now().Add(-6 * time.Hour) }
		}
		tip := r.commit(shift.String())
		uploaded := r.produce()[0]
		object, err := r.producer.Bucket.Stat(t.Context(), uploaded.Key)
		require.NoError(t, err)
		require.True(t, object.CreatedAt.After(last), "%s after %s", object.CreatedAt, last)
		last = object.CreatedAt
		r.consume()
		require.Equal(t, tip, r.tip())
	}
}

// Objects of before that time was kept with them were made before they were uploaded.
func TestObjectBeforeWithoutTime(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	key, content := seal(r)
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), key))
	r.put(key, content)
	before, err := r.producer.Bucket.Stat(t.Context(), key)
	require.NoError(t, err)
	require.Zero(t, before.CreatedAt)
	r.producer.Clock = func() time.Time { return time.Now().Add(-time.Hour) }
	r.commit("two")
	require.True(t, r.encrypted(r.planned()).CreatedAt.After(before.Modified))
}

// Whoever writes to the bucket can write any time there. One that consumers would refuse is not followed.
func TestForgedTimeIsNotFollowed(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	key, content := seal(r)
	require.NoError(t, r.direct().Upload(t.Context(), key, bytes.NewReader(content), int64(len(content)), bucket.WithCreatedAt(time.Now().AddDate(1, 0, 0))))
	tip := r.commit("two")
	uploaded := r.produce()[0]
	require.Contains(t, uploaded.Summary, "far ahead of this clock: its time was not followed")
	r.consume()
	require.Equal(t, tip, r.tip())
}

// A bucket whose clock was put back is found out before anything is sent, or even fetched.
func TestBucketClockBehind(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"Clone", "Upload"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.inRealTime()
			r.commit(random(20_000))
			r.produce()
			r.commit("two")
			planned := r.planned()
			encrypted := r.encrypted(planned)
			r.lag.alter = func(resp *http.Response) {
				switch {
				case resp.Request.Method != http.MethodHead:
				case resp.StatusCode != http.StatusOK:
					resp.Header.Set("Date", "") // the SDK goes by that of failures, and would sign with it
				default:
					resp.Header.Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
				}
			}
			sent := r.puts()
			var text string
			if step == "Clone" {
				text = fails(r, "BucketClock", r.clone, planned)
			} else {
				text = fails(r, "BucketClock", r.upload, encrypted)
			}
			require.Contains(t, text, "the bucket's clock is behind its newest object: it shows ")
			require.Zero(t, sent.Load())
		})
	}
}

// Within one second it could not be told which of two came later: the second one waits, and is sent once.
func TestUploadWaitsForTheNextSecond(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inRealTime()
	r.commit(random(20_000))
	first := r.produce()[0]
	r.commit("two")
	sent := r.puts()
	second := r.produce()[0]
	require.EqualValues(t, 1, sent.Load())
	before, err := r.producer.Bucket.Stat(t.Context(), first.Key)
	require.NoError(t, err)
	after, err := r.producer.Bucket.Stat(t.Context(), second.Key)
	require.NoError(t, err)
	require.True(t, after.Modified.After(before.Modified))
}

// The same, by a store that shows the times that the test says.
func TestUploadWaitsByTheStoresClock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		clock    []time.Duration // that the store shows, one time for each question, after the newest object's; then the last one again
		shown    time.Duration   // that it shows when it is asked for the object; 0 for no time
		modified []time.Duration // that it gives the object, each time that it is uploaded
		asked    int
		sent     int
		fails    bool
	}{
		"it is later already":       {clock: []time.Duration{time.Second}, modified: []time.Duration{time.Second}, asked: 1, sent: 1},
		"the same second, at first": {clock: []time.Duration{0, 0, time.Second}, modified: []time.Duration{time.Second}, asked: 3, sent: 1},
		"a clock that is put back":  {clock: []time.Duration{-2 * time.Second, 0, 2 * time.Second}, modified: []time.Duration{2 * time.Second}, asked: 3, sent: 1},
		"the object is not later":   {clock: []time.Duration{time.Second}, modified: []time.Duration{0, time.Second}, asked: 2, sent: 2},
		"it never is":               {clock: []time.Duration{time.Second}, modified: []time.Duration{0}, asked: maxUploadTries, sent: maxUploadTries, fails: true},
		"it has just shown":         {shown: time.Second, modified: []time.Duration{time.Second}, sent: 1},
		"not later when it showed":  {shown: -time.Second, clock: []time.Duration{0, time.Second}, modified: []time.Duration{time.Second}, asked: 2, sent: 1},
		"it tells no time":          {modified: []time.Duration{0, time.Second}, asked: 2, sent: 2},
		"far behind":                {clock: []time.Duration{-maxClockStep - time.Second}, asked: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.inRealTime()
			encrypted := r.increment()
			newest := encrypted.Work.Plan.SeenChain.Modified
			require.False(t, newest.IsZero())
			sent, asked := r.puts(), 0
			r.lag.alter = func(resp *http.Response) {
				switch path := strings.Trim(resp.Request.URL.Path, "/"); {
				case resp.Request.Method != http.MethodHead:
				case path == r.s3.Name && test.clock == nil:
					resp.Header.Set("Date", "")
					asked++
				case path == r.s3.Name:
					resp.Header.Set("Date", newest.Add(test.clock[min(asked, len(test.clock)-1)]).UTC().Format(http.TimeFormat))
					asked++
				case test.shown == 0:
					resp.Header.Set("Date", "")
				default:
					resp.Header.Set("Date", newest.Add(test.shown).UTC().Format(http.TimeFormat))
				}
				if resp.Request.Method == http.MethodHead && strings.Trim(resp.Request.URL.Path, "/") != r.s3.Name && sent.Load() > 0 {
					resp.Header.Set("Last-Modified", newest.Add(test.modified[min(int(sent.Load()), len(test.modified))-1]).UTC().Format(http.TimeFormat))
				}
			}
			if test.fails {
				require.Contains(t, fails(r, "BucketClock", r.upload, encrypted), ErrBucketClock.Error())
			} else {
				must(r, r.upload, encrypted)
			}
			require.Equal(t, test.asked, asked)
			require.EqualValues(t, test.sent, sent.Load())
		})
	}
}
