package scale_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/projects"
	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// hugeName is the project of the huge repository.
const hugeName = "huge"

// One huge repository does not hold back the small ones, be they of its page or of a later one.
func TestHuge(t *testing.T) {
	parallel(t)
	s := begin(t, *smallSyncs)
	limits := contract.Limits{PageSize: max(1, *smallSyncs/3), MaxInFlight: 4}
	if *hugeBytes > 0 {
		limits.MaxInFlight = 16
	}
	small := s.syncs
	alone := map[stack.Role][]time.Duration{}
	for _, role := range stack.Roles {
		alone[role] = s.timesOfSmall(role, limits)
	}
	s.move(len(small), 1)
	s.addHuge()
	for _, role := range stack.Roles {
		beside := s.timesOfSmall(role, limits)
		for what, at := range map[string]int{"half of the small ones": len(small) / 2, "all of them": len(small) - 1} {
			t.Logf("%s: %s after %.1f s, without the huge one %.1f s", role, what, beside[at].Seconds(), alone[role][at].Seconds())
			if *hugeBytes > 0 {
				require.Less(t, beside[at], 3*alone[role][at], "%s: %s", role, what) // which has the processors for itself
			}
		}
	}
	require.Equal(t, len(s.syncs), projects.InSync(t, s.Stack, s.syncs))
}

// addHuge adds a sync of a project that takes long: it is huge, or the servers hold it up until all others are done.
func (s *sides) addHuge() {
	s.Helper()
	huge := project.Sync{
		Source:      project.Branch{Group: "platform/team", Name: hugeName, Branch: "main"},
		Destination: project.Branch{Group: "mirror/platform/team", Name: hugeName, Branch: "main"},
	}
	require.NoError(s, s.Source.Create(s.Context(), huge.Source.Path()))
	require.NoError(s, s.Destination.Create(s.Context(), huge.Destination.Path()))
	size := max(*hugeBytes, 30_000)
	_, err := s.Source.Generate(s.Context(), huge.Source.Path(), "main", gitserver.History{Bytes: size, Commits: int(size / 15_000)})
	require.NoError(s, err)
	s.syncs = append(slices.Clone(s.syncs), huge)
	projects.Configure(s, s.Stack, s.syncs)
}

// timesOfSmall runs a cycle of a side in which all syncs move, and returns how long after its beginning the small ones were done, in order.
func (s *sides) timesOfSmall(role stack.Role, limits contract.Limits) (times []time.Duration) {
	s.Helper()
	small := *smallSyncs
	done, patience := make(chan struct{}), 10*time.Minute
	release := sync.OnceFunc(func() { close(done) })
	s.Cleanup(release)
	if *hugeBytes == 0 {
		patience = 5 * time.Minute // for machines that are busy
		hold := func(kind string, r *http.Request) {
			if strings.Contains(r.URL.Path, "/"+hugeName+".git/") && (kind == requests.Fetch || kind == requests.Push) {
				<-done
			}
		}
		s.source.delay(hold)
		s.destination.delay(hold)
	}
	began := time.Now()
	cycle := s.cycles().start(role, "measured-cycle", limits)
	require.Eventually(s, func() bool {
		times = nil
		for _, info := range list(s, s.Temporal.Clients[role], began) {
			isSmall := info.GetType().GetName() == roles[role].Child && !strings.Contains(info.GetExecution().GetWorkflowId(), "/"+hugeName+"@")
			if isSmall && info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
				times = append(times, info.GetCloseTime().AsTime().Sub(began))
			}
		}
		return len(times) == small
	}, patience, 200*time.Millisecond, "all small ones done while the huge one is held up")
	release()
	var r contract.Report
	require.NoError(s, cycle.Get(s.Context(), &r))
	require.Zero(s, r.Count()+len(r.Running), "%+v", r)
	slices.Sort(times)
	return times
}
