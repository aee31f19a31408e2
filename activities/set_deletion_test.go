package activities

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

func TestMassDeletionIsRefused(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/tags/*", "refs/tags/*")
	r.commitOn("main", random(1000))
	r.manyTags(20)
	r.produceSet()
	r.consumeSet()
	for i := range 11 {
		r.atSource("tag", "-d", fmt.Sprintf("t%02d", i))
	}
	r.atSource("tag", "new", "main")
	r.produceSet()
	text := fails(r.rig, "MassDeletion", r.push, r.decrypted())
	require.Contains(t, text, `1 tag new; all else is as at the source: too many refs would be deleted at once: of 20 refs that were put there, 11 have gone at the source, such as "refs/tags/t00"`)
	require.Contains(t, text, "DELETE_REFS_MAX_SHARE")
	require.Len(t, r.destinationRefs(), 21)
	to, err := r.consumer.readDestination(t.Context(), r.sync.Destination)
	require.NoError(t, err)
	require.Empty(t, to.guard.objects, "the sync is not done")
	require.Empty(t, r.downloaded().Objects)
	fails(r.rig, "MassDeletion", r.push, r.decrypted())

	r.consumer.MaxDeletedShare = 0.6
	require.Contains(t, r.consumeSet().Summary, "11 tags deleted")
	r.mirrored()
}

func TestDeletionsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/tags/*", "refs/tags/*")
	r.consumer.DeleteRefs = false
	r.commitOn("main", random(1000))
	r.manyTags(2)
	r.produceSet()
	r.consumeSet()
	r.atSource("tag", "-d", "t00")
	r.produceSet()
	require.Contains(t, r.consumeSet().Summary, "no ref changed")
	r.mirroredBut("t00")

	r.consumer.DeleteRefs = true
	require.Contains(t, r.consumeSet().Summary, "1 tag deleted", "it is still known whose it was")
	r.mirrored()
}

// Servers need their default branch: it stays, and the result says so.
func TestDefaultBranchIsNotDeleted(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/heads/*", "refs/heads/*")
	r.commitOn("master", random(1000))
	r.atSource("branch", "other", "master")
	r.produceSet()
	r.atDestination("symbolic-ref", "HEAD", "refs/heads/master")
	r.consumeSet()
	r.atSource("branch", "-m", "master", "main")
	r.atSource("branch", "-D", "other")
	r.produceSet()
	pushed := r.consumeSet()
	require.Contains(t, pushed.Warning, `"refs/heads/master" has gone at the source, and stays: it is the destination's default branch`)
	require.Contains(t, pushed.Summary, "1 branch new, 1 branch deleted")
	r.mirroredBut("master")

	r.atDestination("symbolic-ref", "HEAD", "refs/heads/main")
	require.Contains(t, r.consumeSet().Summary, "1 branch deleted")
	r.mirrored()
}

// A destination that says that it has deleted a ref, and shows it as before, is not believed. The ref stays the consumer's own if
// the server can say so.
func TestDeletionIsVerified(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]string{"in one transaction": "exit 0", "one by one": `case $1 in refs/tags/no) exit 1;; esac`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSetPushRig(t, "refs/tags/*", "refs/tags/*")
			var lies atomic.Bool
			var gone string
			r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					next.ServeHTTP(w, req)
					if lies.Load() && req.Method == http.MethodPost {
						r.atDestination("update-ref", "refs/tags/gone", gone)
					}
				})
			}))
			gone = r.commitOn("main", random(1000))
			r.atSource("tag", "gone", "main")
			r.atSource("tag", "stays", "main")
			r.produceSet()
			r.consumeSet()
			r.atSource("tag", "-d", "gone")
			r.atSource("tag", "no", "main")
			r.produceSet()
			r.hook("update", hook)
			lies.Store(true)
			_, err := execute(r.rig, r.push, r.decrypted())
			require.ErrorContains(t, err, `"refs/tags/gone" is at "`+gone+`" instead of deleted`)
			if name == "one by one" {
				require.Equal(t, gone, r.stateAt().put["refs/tags/gone"])
				lies.Store(false)
				r.hook("update", "")
				r.consumeSet()
				r.mirrored()
			}
		})
	}
}
