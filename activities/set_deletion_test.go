package activities

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/sign"
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

// What stays is said once. Where the setting changes, the set is looked at again although nothing has changed.
func TestDeletionsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	for why, switchOff := range map[string]func(c *Consumer, off bool){
		"DELETE_REFS=false":        func(c *Consumer, off bool) { c.DeleteRefs = !off },
		"PUSH_POLICY=fast-forward": func(c *Consumer, off bool) { c.FastForwardOnly = off },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			r := newSetPushRig(t, "refs/tags/*", "refs/tags/*")
			r.commitOn("main", random(1000))
			r.manyTags(3)
			r.produceSet()
			require.Empty(t, r.consumeSet().Warning)
			require.True(t, r.inSync())

			switchOff(r.consumer, true)
			require.Empty(t, r.consumeSet().Warning)
			r.atSource("tag", "-d", "t00")
			r.produceSet()
			pushed := r.consumeSet()
			require.Contains(t, pushed.Summary, "no ref changed")
			require.Equal(t, "1 ref that has gone at the source stays: "+why, pushed.Warning)
			r.mirroredBut("t00")
			r.atSource("tag", "-d", "t01")
			r.produceSet()
			require.Equal(t, "2 refs that have gone at the source stay: "+why, r.consumeSet().Warning)
			r.mirroredBut("t00", "t01")
			require.True(t, r.inSync())

			switchOff(r.consumer, false)
			require.False(t, r.inSync())
			pushed = r.consumeSet()
			require.Contains(t, pushed.Summary, "2 tags deleted", "it is still known whose they were")
			require.Empty(t, pushed.Warning)
			r.mirrored()
			require.True(t, r.inSync())
		})
	}
}

// A state that arrived before anyone could verify it is verified once there are keys.
func TestSetIsVerifiedOnceThereAreKeys(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/tags/*", "refs/tags/*")
	r.commitOn("main", random(1000))
	r.manyTags(3)
	keys := r.consumer.Verifier
	r.consumer.Verifier = sign.Unverified()
	r.produceSet()
	require.Equal(t, Unverified, r.consumeSet().Warning)
	require.True(t, r.inSync())

	r.consumer.Verifier = keys
	require.False(t, r.inSync())
	require.Contains(t, r.consumeSet().Summary, "no ref changed")
	r.mirrored()
	require.True(t, r.inSync())
	to, err := r.consumer.readDestination(t.Context(), r.sync.Destination)
	require.NoError(t, err)
	require.NotEmpty(t, to.guard.ref)
}

// inSync tells whether the consumer's plan has nothing to do.
func (r *setRig) inSync() bool {
	r.Helper()
	page := r.planPushes()
	require.Empty(r, page.Failed)
	return len(page.Moves) == 0
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
