package activities

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"go.temporal.io/sdk/activity"
)

// ServerDown remembers whether a Git server answered the last scan, so that a server that is down is not asked for dozens of
// projects by each. The zero value takes it to be up, and so does nil.
type ServerDown struct{ down atomic.Bool }

// note takes in what a scan has found out. One that asked for nothing has found out nothing.
func (d *ServerDown) note(answered, unanswered bool) {
	if d != nil && (answered || unanswered) {
		d.down.Store(!answered)
	}
}

// probes divides projects into those that are asked first, to see whether a server is back that was down, and all others. They are
// others each time: some may be down for themselves.
func (s *headSurvey) probes(paths []string) (first, rest []string) {
	if s.down == nil || !s.down.down.Load() || s.answered > 0 || len(paths) <= s.limits.Probes {
		return nil, paths
	}
	rest = slices.Clone(paths)
	for range s.limits.Probes {
		i := rand.IntN(len(rest)) //nolint:gosec // it guards nothing
		first, rest = append(first, rest[i]), slices.Delete(rest, i, i+1)
	}
	return first, rest
}

// isPatient tells whether Temporal begins another attempt soon enough for a server to be waited for that answers for none of a few
// projects. After that, it is the projects that do not answer, and the others of the cycle go on.
func (s *headSurvey) isPatient(ctx context.Context, q headRequest) bool {
	return !q.allPaused && activity.IsActivity(ctx) && int(activity.GetInfo(ctx).Attempt) <= s.limits.Patience
}
