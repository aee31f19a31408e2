package activities

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
)

// requestLog has the requests that two workers have sent.
type requestLog struct {
	mu  sync.Mutex
	all []string
}

func (l *requestLog) add(resp *http.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, resp.Request.Method+" "+resp.Request.URL.RequestURI())
}

// moved are the requests that have put something somewhere, or fetched a pack or an object.
func (l *requestLog) moved() (moved []string) {
	for _, request := range l.all {
		method, path, _ := strings.Cut(request, " ")
		if method == http.MethodPut || method == http.MethodDelete || method == http.MethodPost && !strings.HasSuffix(path, "git-upload-pack") {
			moved = append(moved, request)
		}
	}
	return moved
}

// again are the first steps of runs that repeat those of a plan, on other workers, whose requests are logged.
func (r *rig) again() (requests *requestLog, clone func(plan.Upload) producing, download func(plan.Push) consuming) {
	requests = &requestLog{}
	z := r.twin(requests.add)
	z.producer.LFS, z.producer.WritePredecessor = r.producer.LFS, r.producer.WritePredecessor
	first := func(ctx context.Context, u plan.Upload) (p producing, err error) {
		p.Work = UploadWork{Plan: u, LookFirst: true}
		p.Cloned, err = z.producer.Clone(ctx, p.Work)
		p.Work.Staged = p.Staged
		return p, err
	}
	second := func(ctx context.Context, push plan.Push) (c consuming, err error) {
		c.Work = PushWork{Plan: push, LookFirst: true}
		c.Downloaded, err = z.consumer.Download(ctx, c.Work)
		c.Work.Staged = c.Staged
		return c, err
	}
	z.activities.RegisterActivity(first)
	z.activities.RegisterActivity(second)
	return requests, func(u plan.Upload) producing { return must(z, first, u) }, func(p plan.Push) consuming { return must(z, second, p) }
}

// A run that is repeated after it has done its work moves nothing, and asks for little.
func TestRepeatedRunsHaveNothingToDo(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T) *rig{
		"a branch": func(t *testing.T) *rig {
			r := newTrustedRig(t)
			r.commit(random(20_000))
			return r
		},
		"a branch, without keys": func(t *testing.T) *rig {
			r := newRig(t)
			r.commit(random(20_000))
			return r
		},
		"a set of refs": func(t *testing.T) *rig {
			r := newTrustedRig(t)
			r.commit(random(20_000))
			r.configureSet(pair("refs/*", "refs/*"))
			return r
		},
		"with LFS objects": func(t *testing.T) *rig {
			r := newLFSSourceRig(t)
			r.commitLFS("main", map[string]string{"a": "b"}, r.large(random(5_000)))
			return r
		},
		"for the predecessor": func(t *testing.T) *rig {
			r := newRig(t)
			r.producer.WritePredecessor, r.consumer.ReadPredecessor = true, true
			r.commit(random(20_000))
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := begin(t)
			upload := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
			r.produce()
			push := r.planPushes().Moves[0]
			r.consume()
			before := r.bucketKeys()

			requests, clone, download := r.again()
			cloned := clone(upload)
			require.Regexp(t, "^nothing to do: the bucket has (state )?[0-9a-f]{7}$", cloned.Nothing)
			require.NotEmpty(t, cloned.Staged)
			downloaded := download(push)
			require.Regexp(t, "^nothing to do: the destination has (state )?[0-9a-f]{7}$", downloaded.Nothing)
			require.Empty(t, requests.moved())
			require.LessOrEqual(t, len(requests.all), 12, "%q", requests.all)
			require.Equal(t, before, r.bucketKeys())
		})
	}
}

// bucketKeys are the keys and times of all objects.
func (r *rig) bucketKeys() (keys []string) {
	r.Helper()
	for o, err := range r.consumer.Bucket.List(r.Context(), "") {
		require.NoError(r, err)
		keys = append(keys, o.Key+" "+o.Modified.String())
	}
	return keys
}

// Whatever a plan of now would move is moved.
func TestRepeatedRunsDoWhatIsLeft(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rig){
		"the source has moved": func(r *rig) { r.commit("next") },
		"the object is gone":   func(r *rig) { require.NoError(r, r.producer.Bucket.Delete(r.Context(), r.chain().Newest().Key)) },
		"it was altered":       func(r *rig) { r.put(r.chain().Newest().Key, []byte("other")) },
		"other keys have come": func(r *rig) {
			key, err := age.GenerateX25519Identity()
			require.NoError(r, err)
			r.producer.Recipients = append(r.producer.Recipients, key.Recipient())
		},
		"the catalog was forgotten": func(r *rig) { r.producer.Signer, _ = signingKey(r.T) },
	} {
		t.Run("producer: "+name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.commit(random(20_000))
			upload := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
			r.produce()
			change(r)
			_, clone, _ := r.again()
			cloned := clone(upload)
			require.Empty(t, cloned.Nothing)
			require.NotZero(t, cloned.Bundle.Size)
		})
	}
	for name, change := range map[string]func(*rig){
		"another object has come": func(r *rig) { r.commit("next"); r.produce() },
		"the branch was moved":    func(r *rig) { r.atDestination("update-ref", "-d", r.sync.Destination.Ref()) },
		"the note is gone": func(r *rig) {
			for _, ref := range r.ownRefs() {
				r.atDestination("update-ref", "-d", ref)
			}
		},
	} {
		t.Run("consumer: "+name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.commit(random(20_000))
			r.produce()
			push := r.planPushes().Moves[0]
			r.consume()
			change(r)
			_, _, download := r.again()
			require.Empty(t, download(push).Nothing)
		})
	}
}

// A step of a release that is not asked to look clones as before.
func TestStepsLookOnlyIfAsked(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	upload := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	r.produce()
	push := r.planPushes().Moves[0]
	r.consume()
	require.Empty(t, must(r, r.clone, upload).Nothing)
	require.Empty(t, must(r, r.download, push).Nothing)
}
