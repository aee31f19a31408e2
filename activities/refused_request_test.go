package activities

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// refusal tells a client that its nth request was not allowed, although the server has done what was asked.
type refusal struct {
	mu   sync.Mutex
	left int // requests
	at   string
}

func (r *refusal) alter(resp *http.Response) {
	if resp.Request.Method == http.MethodHead && strings.Count(resp.Request.URL.Path, "/") == 1 {
		return // how often an upload asks for the bucket's time must not change which request is the nth
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left--; r.left != 0 {
		return
	}
	r.at = resp.Request.Method + " " + resp.Request.URL.String()
	const denied = "<Error><Code>AccessDenied</Code></Error>"
	_ = resp.Body.Close()
	resp.StatusCode, resp.ContentLength, resp.Body = http.StatusForbidden, int64(len(denied)), io.NopCloser(strings.NewReader(denied))
	resp.Header.Set("Content-Length", strconv.Itoa(len(denied)))
}

// refusedInTurn runs a cycle whose first request is refused, then one whose second is, and so on, each from the same beginning.
// A cycle that says nothing has done all, and else the next one does.
func (r *rig) refusedInTurn(cycle func(*rig) error, begin func(), arrived func(at string)) {
	r.Helper()
	for n := 1; ; n++ {
		begin()
		refused := refusal{left: n}
		err := cycle(r.twin(refused.alter))
		if refused.at == "" {
			require.NoError(r, err)
			require.Greater(r, n, 10, "requests")
			return
		}
		if err != nil {
			failed, _ := errors.AsType[*temporal.ApplicationError](err)
			require.NotNil(r, failed, "%s: %v", refused.at, err)
			require.Contains(r, []string{"BucketAccessDenied", "GitForbidden", "CatalogNotWritten"}, failed.Type(), "%s: %v", refused.at, err)
			require.NoError(r, cycle(r), refused.at)
		} else if !strings.HasSuffix(refused.at, "uploads=") { // what others have left of uploads waits for the next cycle
			require.Contains(r, refused.at, ".git/", "only what a plan asks of a Git server is asked again by a step")
		}
		arrived(refused.at)
	}
}

// Whichever request is refused, a step that needed the answer says so.
func TestEachRequestIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("producer", func(t *testing.T) {
		t.Parallel()
		r := newTrustedRig(t)
		r.producer.Retention.After = time.Hour
		r.commit(random(20_000))
		snapshot, content := seal(r)
		made, err := r.producer.Bucket.Stat(t.Context(), snapshot)
		require.NoError(t, err)
		id, err := object.ParseKey(snapshot)
		require.NoError(t, err)
		id.Destination.Branch = "gone"
		orphan, err := id.Key()
		require.NoError(t, err)
		absent := away(time.Now().Add(-2*time.Hour), id.Destination)
		tip := r.commit("two")
		r.refusedInTurn(func(r *rig) (err error) {
			err = r.produceAll()
			next(r, &err, r.producer.Prune, PruneRequest{Absence: absent})
			return err
		}, func() {
			require.NoError(t, r.producer.Bucket.Delete(t.Context(), append(r.keys(), catalog.Key)...))
			require.NoError(t, r.producer.Bucket.Upload(t.Context(), snapshot, bytes.NewReader(content), int64(len(content)), bucket.WithCreatedAt(made.CreatedAt)))
			r.put(orphan, content)
		}, func(at string) {
			require.Equal(t, tip, r.chains()[r.sync.Destination].Tip(), at)
			require.NotContains(t, r.keys(), orphan, at)
		})
	})
	for name, set := range map[string]func(*Consumer){
		"consumer":              func(*Consumer) {},
		"consumer without keys": func(c *Consumer) { c.Verifier = sign.Unverified() },
		// What cannot be read is not taken for missing.
		"fast-forwards only, and projects are created": func(c *Consumer) { c.FastForwardOnly, c.CreateProjects = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			set(r.consumer)
			tip := r.longChain()
			r.consume()
			r.refusedInTurn((*rig).consumeAll, func() {
				for _, ref := range append(r.ownRefs(), r.sync.Destination.Ref()) {
					r.atDestination("update-ref", "-d", ref)
				}
				if r.consumer.FastForwardOnly {
					r.at(r.first())
				}
			}, func(at string) { require.Equal(t, tip, r.tip(), at) })
		})
	}
}
