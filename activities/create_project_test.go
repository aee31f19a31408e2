package activities

import (
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// newRigWithoutProject is a rig whose destination project does not exist, on a forge that creates it when it is pushed
// to. Answer may answer a request in the forge's place.
func newRigWithoutProject(t *testing.T, when gitserver.Creation, answer func(http.ResponseWriter, *http.Request) bool) *rig {
	t.Helper()
	r := newTrustedRig(t)
	r.destination, r.consumer.Destination = r.git("mirror/platform/other", gitserver.WithPushToCreate(when), gitserver.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answer == nil || !answer(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	}))
	var err error
	r.consumer.Allow, err = project.ParseAllowlist("mirror/*")
	require.NoError(t, err)
	r.consumer.CreateProjects = true
	return r
}

func asksToPush(r *http.Request) bool { return r.URL.Query().Get("service") == "git-receive-pack" }

func sendsPack(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/git-receive-pack") }

// failsForNow runs the push, which must fail so that it is tried again.
func failsForNow(r *rig, in consuming) {
	r.Helper()
	_, err := execute(r, r.push, in)
	var failure *temporal.ApplicationError
	require.ErrorAs(r, err, &failure)
	require.False(r, failure.NonRetryable(), failure)
}

// A plan and a download create nothing. The push creates the project with the whole chain, also where the consumer's
// own refs come first, and the branch becomes the default one.
func TestMissingProjectIsCreated(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]gitserver.Creation{"as GitLab": gitserver.OnDiscovery, "as Gitea": gitserver.OnPush} {
		for kind, verifies := range map[string]bool{"verified": true, "unverified": false} {
			t.Run(name+", "+kind, func(t *testing.T) {
				r := newRigWithoutProject(t, when, nil)
				if !verifies {
					r.consumer.Verifier = sign.Unverified()
				}
				r.commit("one")
				r.produce()
				tip := r.commit("two")
				r.produce()

				p := r.planPushes()
				require.Empty(t, p.Failed)
				require.Equal(t, "the project does not exist yet: create it, with the branch at "+tip[:7], p.Moves[0].Reason)
				decrypted := must(r, r.decrypt, must(r, r.download, p.Moves[0]))
				require.NoDirExists(t, r.destination.Dir(destinationRepo))

				require.Contains(t, must(r, r.push, decrypted).Summary, "created at "+tip[:7])
				require.Equal(t, tip, r.tip())
				require.Equal(t, verifies, len(r.ownRefs()) == 2)
				// It is chosen after the answer to the push.
				require.Eventually(t, func() bool {
					head, err := os.ReadFile(r.destination.Dir(destinationRepo) + "/HEAD")
					return err == nil && string(head) == "ref: refs/heads/stable\n"
				}, 10*time.Second, 10*time.Millisecond)
				require.Empty(t, r.planPushes().Moves)
			})
		}
	}
}

// A push that ends after the project was created goes on in the project that is there.
func TestCreationIsInterrupted(t *testing.T) {
	t.Parallel()
	var cut atomic.Bool
	r := newRigWithoutProject(t, gitserver.OnDiscovery, func(w http.ResponseWriter, r *http.Request) bool {
		if !sendsPack(r) || cut.Swap(true) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	tip := r.commit("one")
	r.produce()
	decrypted := must(r, r.decrypt, r.received())
	failsForNow(r, decrypted)
	require.DirExists(t, r.destination.Dir(destinationRepo))
	must(r, r.push, decrypted)
	require.Equal(t, tip, r.tip())
}

// Another run creates the project at the same time, and GitLab says so as if the request were wrong, also while reads do not
// find the project yet.
func TestProjectIsCreatedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]bool{"at once": false, "found later": true} {
		t.Run(name, func(t *testing.T) { testCreatedMeanwhile(t, later) })
	}
}

func testCreatedMeanwhile(t *testing.T, later bool) {
	var r *rig
	var taken atomic.Bool
	r = newRigWithoutProject(t, gitserver.OnDiscovery, func(w http.ResponseWriter, request *http.Request) bool {
		if !asksToPush(request) || taken.Swap(true) {
			return false
		}
		if later {
			http.Error(w, "Could not create project: Path has already been taken", http.StatusUnprocessableEntity)
			return true
		}
		http.Error(w, "in other words", http.StatusUnprocessableEntity)
		if err := r.destination.Create(request.Context(), destinationRepo); err != nil {
			t.Error(err)
		}
		return true
	})
	tip := r.commit("one")
	r.produce()
	decrypted := must(r, r.decrypt, r.received())
	failsForNow(r, decrypted)
	must(r, r.push, decrypted)
	require.Equal(t, tip, r.tip())
}

// A group has the project's path: GitLab says the same then as of another run, and reads never find the project.
func TestGroupHasThePathOfTheProject(t *testing.T) {
	t.Parallel()
	r := newRigWithoutProject(t, gitserver.OnDiscovery, func(w http.ResponseWriter, r *http.Request) bool {
		if asksToPush(r) {
			http.Error(w, "Could not create project: Path has already been taken", http.StatusUnprocessableEntity)
		}
		return asksToPush(r)
	})
	r.commit("one")
	r.produce()
	_, err := execute(r, r.push, must(r, r.decrypt, r.received()))
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.NonRetryable(), "it may be another run")
	require.Equal(t, "ProjectPathTaken", failure.Type())
	require.Contains(t, failure.Message(), "by another run that creates it or by a group")
	require.Contains(t, failure.Message(), "Path has already been taken")
}

func TestProjectCannotBeCreated(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{
		"GitLab without the group or the right": http.StatusNotFound,
		"GitLab with a limit on projects":       http.StatusUnprocessableEntity,
		"Gitea without push-to-create":          http.StatusForbidden,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigWithoutProject(t, gitserver.OnDiscovery, func(w http.ResponseWriter, r *http.Request) bool {
				if asksToPush(r) {
					http.Error(w, "not for you", status)
				}
				return asksToPush(r)
			})
			r.commit("one")
			r.produce()
			decrypted := must(r, r.decrypt, r.received())
			said := fails(r, "ProjectNotCreated", r.push, decrypted)
			require.Contains(t, said, `the server did not create it in the group "mirror/platform"`)
			require.Contains(t, said, "not for you")
			require.NoDirExists(t, r.destination.Dir(destinationRepo))
		})
	}
}

// newRigWithHiddenProject is a rig whose destination project reads do not find, and pushes do. It tells whether a pack was sent there.
func newRigWithHiddenProject(t *testing.T) (*rig, *atomic.Bool) {
	t.Helper()
	sent := new(atomic.Bool)
	return newRigWithoutProject(t, gitserver.OnDiscovery, func(w http.ResponseWriter, r *http.Request) bool {
		if sendsPack(r) {
			sent.Store(true)
		}
		reads := r.URL.Query().Get("service") == "git-upload-pack"
		if reads {
			http.NotFound(w, r)
		}
		return reads
	}), sent
}

// A project that reads do not show, and pushes do, is not missing: nothing is sent to it, whatever branch is wanted, and the
// token's rights are named.
func TestHiddenProjectIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, ref := range map[string]string{
		"with the branch": "refs/heads/stable", "with another one": "refs/heads/other", "with a tag": "refs/tags/v1",
	} {
		for kind, verifies := range map[string]bool{"verified": true, "unverified": false} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				r, sent := newRigWithHiddenProject(t)
				if !verifies {
					r.consumer.Verifier = sign.Unverified()
				}
				r.commit("one")
				r.produce()
				r.commit("two")
				r.produce()
				require.NoError(t, r.destination.Create(t.Context(), destinationRepo))
				_, err := r.destination.Commit(t.Context(), destinationRepo, "other", map[string]string{"a": "b"}, "there")
				require.NoError(t, err)
				if ref != "refs/heads/other" {
					r.atDestination("update-ref", ref, "refs/heads/other")
					r.atDestination("update-ref", "-d", "refs/heads/other")
				}
				decrypted := must(r, r.decrypt, r.received())
				said := fails(r, "ProjectNotFound", r.push, decrypted)
				require.Contains(t, said, "the project exists for pushes, but not for reads")
				require.Contains(t, said, "read_repository beside write_repository")
				require.False(t, sent.Load())
			})
		}
	}
}

// In an empty one, that is found out only after the first push.
func TestHiddenProjectIsEmpty(t *testing.T) {
	t.Parallel()
	r, _ := newRigWithHiddenProject(t)
	r.commit("one")
	r.produce()
	require.NoError(t, r.destination.Create(t.Context(), destinationRepo))
	said := fails(r, "ProjectNotFound", r.push, must(r, r.decrypt, r.received()))
	require.Contains(t, said, "read_repository beside write_repository")
}
