package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// outages are what may be down: what the scan needs, too, and what only a step needs.
var outages = map[string]struct {
	err   error
	scans bool
	step  string
}{
	"source, destination, bucket or GraphQL server": {fmt.Errorf("%w: refused", activities.ErrGitServerDown), true, ""},
	"clones alone":               {smarthttp.ErrServerFailed, false, "Clone"},
	"writes to bucket, LFS, Git": {httpclient.ErrUnavailable, false, "Upload"},
	"throttled writes":           {httpclient.ErrRateLimited, false, "Upload"},
	"disk":                       {staging.ErrDiskFull, false, "Clone"},
}

// What is down for seconds costs seconds, and no run or cycle that fails. While it is down for long, it is tried a few times a minute,
// whatever the number of syncs, and within a cycle of its return, or two, all are through. The figures are those of docs/errors.md
// (go test -v -run TestOutages ./workflows -scale).
func TestOutages(t *testing.T) {
	many := 60
	if *scale {
		many = 1000
	}
	for name, down := range outages {
		for _, syncs := range []int{1, many} {
			for _, lasts := range []time.Duration{time.Second, 30 * time.Second, 12 * time.Minute, 3*time.Hour + 2*time.Minute} {
				if syncs > 1 && !*scale && lasts < time.Hour && lasts != 30*time.Second {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/%s", name, syncs, lasts), func(t *testing.T) {
					o := newOutage(t, syncs, lasts, down.err)
					o.scans, o.step = down.scans, down.step
					o.run()
					t.Logf("| %s | %d | %s | %d | %.1f | %d | %s |", name, syncs, lasts, len(o.tried), o.perMinute(), o.failedRuns, o.through().Round(time.Second))
					o.isFitting()
				})
			}
		}
	}
}

// isFitting checks the figures. On a busy machine the clock goes on while steps begin.
func (o *outage) isFitting() {
	o.Helper()
	if o.until.Sub(o.from) <= 30*time.Second {
		require.Zero(o, o.failedRuns)
		require.LessOrEqual(o, o.through(), time.Minute)
		return
	}
	require.LessOrEqual(o, o.perMinute(), 10.0)
	longest := everyFiveMinutes
	if len(o.syncs) > retries.Probes && !o.scans {
		longest += everyFiveMinutes
	}
	require.LessOrEqual(o, o.through(), longest+2*time.Minute)
}

// Where something is down that only some syncs need, all others go on, and these are no more than a few at a time.
func TestOutageOfSome(t *testing.T) {
	t.Parallel()
	o := newOutage(t, 60, 2*time.Hour, httpclient.ErrUnavailable)
	o.step = "Upload"
	o.hurt = func(n int) bool { return n%3 == 0 }
	o.run()
	for i, s := range o.syncs {
		if !o.hurt(i) {
			require.Less(t, o.done[s.Destination].Sub(o.from), 2*everyFiveMinutes, s.Destination)
		}
	}
	require.LessOrEqual(t, o.perMinute(), 10.0)
	require.LessOrEqual(t, o.through(), 2*everyFiveMinutes+2*time.Minute)
}
