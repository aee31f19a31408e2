package activities

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// newRigWithoutGroups is a rig whose destination has neither the project nor its groups, on a GitLab with an API for
// groups, which belongs to this account. Answer may answer a request in the GitLab's place.
func newRigWithoutGroups(t *testing.T, account gitserver.Account, answer func(http.ResponseWriter, *http.Request) bool) *rig {
	t.Helper()
	account.Name, account.Token = "bot", "token-of-the-api"
	r := newTrustedRig(t)
	r.destination, r.consumer.Destination = r.git("elsewhere/app", gitserver.WithPushToCreate(gitserver.OnDiscovery), gitserver.WithGroupsAPI(account),
		gitserver.WithMiddleware(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if answer == nil || !answer(w, r) {
					next.ServeHTTP(w, r)
				}
			})
		}))
	base, err := url.Parse(r.destination.URL())
	require.NoError(t, err)
	r.consumer.Groups = gitlabapi.New(gitlabapi.Options{Instance: gitlab.At(base), Token: account.Token})
	r.consumer.Allow, err = project.ParseAllowlist("mirror/*")
	require.NoError(t, err)
	r.consumer.CreateProjects = true
	return r
}

var groupMaker = gitserver.Account{Scopes: []string{"api"}, TopLevel: true}

func createsGroup(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/api/")
}

func (r *rig) groups() (paths []string) {
	for _, g := range r.destination.CreatedGroups() {
		require.Equal(r, "private", g.Visibility)
		paths = append(paths, g.Path)
	}
	return paths
}

// showPlan is a plan of the consumer that is only shown, as that of starter check is.
func (r *rig) showPlan() plan.Page[plan.Push] {
	r.Helper()
	page, err := r.consumer.PlanPushes(r.Context(), PlanRequest{PageRequest: plan.PageRequest{Detail: true}})
	require.NoError(r, err)
	return page
}

// A plan that is shown says which groups are missing. The push creates them one in the other, and then the project.
func TestMissingGroupsAreCreated(t *testing.T) {
	t.Parallel()
	r := newRigWithoutGroups(t, groupMaker, nil)
	tip := r.commit("one")
	r.produce()
	shown := r.showPlan()
	require.Empty(t, shown.Failed)
	require.Equal(t, `the project does not exist yet, nor do the groups "mirror" to "mirror/platform": create it, with the branch at `+tip[:7], shown.Moves[0].Reason)
	decrypted := must(r, r.decrypt, r.received())
	require.Empty(t, r.groups(), "only a push creates")

	require.Contains(t, must(r, r.push, decrypted).Summary, `, in the new group "mirror/platform"`)
	require.Equal(t, []string{"mirror", "mirror/platform"}, r.groups())
	require.Equal(t, tip, r.tip())
	require.Empty(t, r.planPushes().Moves)
}

// Groups that are there stay as they are, and nothing is asked of a project that is there.
func TestGroupsThatAreThere(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	account := groupMaker
	account.Owns = []string{"mirror"}
	r := newRigWithoutGroups(t, account, func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			asked.Add(1)
		}
		return false
	})
	require.NoError(t, r.destination.CreateGroup("mirror/platform"))
	tip := r.commit("one")
	r.produce()
	r.consume()
	require.Equal(t, tip, r.tip())
	require.Empty(t, r.groups())
	require.EqualValues(t, 2, asked.Load(), "before the download, and before the push")

	r.commit("two")
	r.produce()
	r.showPlan()
	r.consume()
	require.EqualValues(t, 2, asked.Load())
}

// A token that cannot look is found out before anything is downloaded, and by a plan that is shown. One that may look and
// not create is found out by the push.
func TestGroupsThatCannotBeCreated(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		account gitserver.Account
		early   bool
		want    string
	}{
		"no scope for the API":         {gitserver.Account{Scopes: []string{"write_repository"}}, true, "insufficient_scope"},
		"a scope for reading":          {gitserver.Account{Scopes: []string{"read_api"}, TopLevel: true}, false, "insufficient_scope"},
		"no right to top-level groups": {gitserver.Account{Scopes: []string{"api"}}, false, `create group "mirror"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigWithoutGroups(t, tt.account, nil)
			r.commit("one")
			r.produce()
			var said string
			if tt.early {
				shown := r.showPlan()
				require.Empty(t, shown.Moves)
				require.Equal(t, "GroupNotCreated", shown.Failed[0].Kind)
				require.Contains(t, shown.Failed[0].Reason, tt.want)
				said = fails(r, "GroupNotCreated", r.download, r.planPushes().Moves[0])
			} else {
				require.Empty(t, r.showPlan().Failed)
				said = fails(r, "GroupNotCreated", r.push, must(r, r.decrypt, r.received()))
			}
			require.Contains(t, said, tt.want)
			require.Contains(t, said, `"mirror`)
			require.Contains(t, said, "GITLAB_TOKEN needs the scope api")
			require.Empty(t, r.groups())
			require.NoDirExists(t, r.destination.Dir(destinationRepo))
		})
	}
}

// Another forge in GitLab's place is named before anything is downloaded, and by a plan that is shown.
func TestGroupsOfAnotherForge(t *testing.T) {
	t.Parallel()
	r := newRigWithoutGroups(t, groupMaker, func(w http.ResponseWriter, r *http.Request) bool {
		asks := strings.HasPrefix(r.URL.Path, "/api/")
		if asks {
			http.NotFound(w, r)
		}
		return asks
	})
	r.commit("one")
	r.produce()
	shown := r.showPlan()
	require.Empty(t, shown.Moves)
	require.Equal(t, "NotGitLab", shown.Failed[0].Kind)
	fails(r, "NotGitLab", r.download, r.planPushes().Moves[0])
}

// For an object that is refused, or a project that is not allowed, no group is created.
func TestGroupsAreNotCreatedInVain(t *testing.T) {
	t.Parallel()
	r := newRigWithoutGroups(t, groupMaker, nil)
	r.commit("one")
	r.produce()
	decrypted := must(r, r.decrypt, r.received())

	r.consumer.Clock = func() time.Time { return time.Now().Add(-maxClockLead - time.Hour) }
	fails(r, "FutureObject", r.push, decrypted)
	r.consumer.Clock = time.Now
	r.consumer.Allow = project.Allowlist{}
	fails(r, "NotAllowed", r.push, decrypted)
	require.Empty(t, r.showPlan().Moves)
	r.consumer.Allow = project.AllowAll()
	r.consumer.CreateProjects = false
	fails(r, "ProjectNotFound", r.push, decrypted)
	require.Empty(t, r.groups())
}

// An attempt goes on where one before has ended.
func TestCreationOfGroupsIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at     func(*http.Request) bool
		nth    int32 // of these requests fails
		before []string
	}{
		"between the groups":             {createsGroup, 2, []string{"mirror"}},
		"between group and project":      {asksToPush, 1, []string{"mirror", "mirror/platform"}},
		"between the project and a push": {sendsPack, 1, []string{"mirror", "mirror/platform"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			r := newRigWithoutGroups(t, groupMaker, func(w http.ResponseWriter, r *http.Request) bool {
				fail := tt.at(r) && requests.Add(1) == tt.nth
				if fail {
					_, _ = io.Copy(io.Discard, r.Body)
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return fail
			})
			tip := r.commit("one")
			r.produce()
			decrypted := must(r, r.decrypt, r.received())
			failsForNow(r, decrypted)
			require.Equal(t, tt.before, r.groups())
			must(r, r.push, decrypted)
			require.Equal(t, []string{"mirror", "mirror/platform"}, r.groups())
			require.Equal(t, tip, r.tip())
		})
	}
}

// A limit on requests is kept as long as GitLab asks for.
func TestLimitOfTheAPIIsKept(t *testing.T) {
	t.Parallel()
	r := newRigWithoutGroups(t, groupMaker, func(w http.ResponseWriter, r *http.Request) bool {
		if createsGroup(r) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return createsGroup(r)
	})
	r.commit("one")
	r.produce()
	_, err := execute(r, r.push, must(r, r.decrypt, r.received()))
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "RateLimited", failure.Type())
	require.Equal(t, "1m0s", failure.NextRetryDelay().String())
}
