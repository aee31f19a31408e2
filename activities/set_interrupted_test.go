package activities

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// cut is a destination that is killed before its nth push, or after it and before it has answered.
type cut struct {
	at, pushes atomic.Int64
	after      bool
}

func (c *cut) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/git-receive-pack") && c.pushes.Add(1) == c.at.Load() {
			if c.after {
				next.ServeHTTP(httptest.NewRecorder(), req)
			}
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, req)
	})
}

// A run breaks off at each of its pushes in turn, also while refs are refused and while folders take the place of refs: the next
// one goes on from there, sends no pack again, and leaves nothing behind.
func TestInterruptedSetIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for _, refusing := range []bool{false, true} {
			t.Run(fmt.Sprint("after it ", after, ", refusing ", refusing), func(t *testing.T) {
				t.Parallel()
				r := newSetPushRig(t, "refs/*", "refs/*")
				c := &cut{after: after}
				r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(c.wrap))
				r.commitOn("main", random(1000))
				for _, branch := range []string{"a", "b/c", "gone"} {
					r.atSource("branch", branch, "main")
				}
				r.produceSet()
				r.consumeSet()
				n := 1
				for r.breaksOff(c, n, refusing) {
					n++
				}
				require.Greater(t, n, 3, "pushes")
			})
		}
	}
}

// breaksOff tells whether a run with many changes has as many pushes.
func (r *setRig) breaksOff(c *cut, n int, refusing bool) bool {
	r.Helper()
	if refusing {
		r.hook("update", `case $1 in refs/tags/no*) exit 1;; esac`)
		r.atSource("tag", fmt.Sprint("no", n), "main")
	}
	r.commitOn("main", fmt.Sprint(n, random(100)))
	from, to := []string{"a", "b/c"}, []string{"a/x", "b"}
	if n%2 == 0 {
		from, to = to, from
	}
	for i := range from {
		r.atSource("branch", "-m", from[i], fmt.Sprint("tmp", i))
		r.atSource("branch", "-m", fmt.Sprint("tmp", i), to[i])
	}
	r.atSource("tag", "--force", "moves", "main")
	if n%3 == 0 { // as a producer does, whose chains have few objects of a size
		for _, key := range r.keys() {
			require.NoError(r, r.producer.Bucket.Delete(r.Context(), key))
		}
		r.put = nil
	}
	r.produceSet()

	c.at.Store(c.pushes.Load() + int64(n))
	_, err := execute(r.rig, r.push, r.decrypted())
	brokenOff := c.pushes.Load() >= c.at.Load()
	if !brokenOff && refusing {
		require.ErrorContains(r, err, "1 of ")
	} else if !brokenOff {
		require.NoError(r, err)
	}
	c.at.Store(0)
	if n > 1 || c.after {
		require.Empty(r, r.downloaded().Objects, "nothing is sent twice")
	}
	if refusing {
		r.hook("update", "")
	}
	r.consumeSet()
	r.mirrored()
	set := r.stateAt()
	require.Equal(r, set.at, set.put, "no right to delete was lost")
	return brokenOff
}

func (r *setRig) stateAt() *setRefs {
	r.Helper()
	to, err := r.consumer.readDestination(r.Context(), r.sync.Destination)
	require.NoError(r, err)
	return to.set
}
