package activities

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// manyTags makes tags t00, t01, … of the source's branch.
func (r *setRig) manyTags(n int) {
	r.Helper()
	var lines strings.Builder
	tip := r.gitAt(r.source, sourceRepo)("rev-parse", "main")
	for i := range n {
		fmt.Fprintf(&lines, "%s refs/tags/t%02d\n", tip, i)
	}
	require.NoError(r, os.WriteFile(filepath.Join(r.source.Dir(sourceRepo), "packed-refs"), []byte("# pack-refs with: sorted \n"+lines.String()), 0o600))
}

// Whatever refuses some of many refs: all others arrive, those are named with the reason, nothing is sent again for them, and
// when they are allowed, they arrive, too.
func TestRefusedRefsFailAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hook, script string
		refused      []string
		reason       string
	}{
		"by the update hook": {"update", `case $1 in refs/tags/t1[05]|refs/heads/main) echo protected $1 >&2; exit 1;; esac`,
			[]string{"refs/heads/main", "refs/tags/t10", "refs/tags/t15"}, "hook declined"},
		"by a hook that does not say which": {"pre-receive", `if grep -q ' refs/tags/t1[05]$\| refs/heads/main$'; then echo GitLab: You are not allowed >&2; exit 1; fi`,
			[]string{"refs/heads/main", "refs/tags/t10", "refs/tags/t15"}, "GitLab: You are not allowed"},
		"by a hook that counts": {"pre-receive", `if test $(grep -c 'refs/tags/t') -gt 5; then echo too many >&2; exit 1; fi`, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSetPushRig(t, "refs/*", "refs/*")
			var watch interrupt
			r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(watch.wrap))
			r.commitOn("main", random(30_000))
			r.manyTags(20)
			r.produceSet()
			r.hook(test.hook, test.script)
			if test.refused == nil {
				r.consumeSet()
				r.mirrored()
				return
			}
			text := fails(r.rig, "RefsRefused", r.push, r.decrypted())
			require.Contains(t, text, fmt.Sprintf("%d of 21 refs were refused", len(test.refused)))
			require.Contains(t, text, "18 tags new; all else is as at the source")
			for _, ref := range test.refused {
				require.Contains(t, text, ref)
			}
			require.Contains(t, text, test.reason)
			require.Len(t, r.destinationRefs(), 18)
			to, err := r.consumer.readDestination(t.Context(), r.sync.Destination)
			require.NoError(t, err)
			require.Empty(t, to.guard.objects, "the sync is not done")
			require.NotEmpty(t, to.guard.ref, "but nothing older is taken")

			sent, pushes := watch.bytes.Load(), watch.pushes.Load()
			d := r.downloaded()
			require.Empty(t, d.Objects, "nothing is downloaded again")
			fails(r.rig, "RefsRefused", r.push, must(r.rig, r.decrypt, d))
			require.Less(t, watch.bytes.Load()-sent, int64(6_000), "nor sent")
			require.LessOrEqual(t, watch.pushes.Load()-pushes, int64(8))

			r.hook(test.hook, "")
			r.consumeSet()
			r.mirrored()
		})
	}
}

// Deletions and moves are refused alone, as creations are, and stay ours.
func TestRefusedDeletionIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/tags/*", "refs/tags/*")
	first := r.commitOn("main", random(1000))
	for _, tag := range []string{"gone", "kept", "moves"} {
		r.atSource("tag", tag, first)
	}
	r.produceSet()
	r.consumeSet()
	r.hook("update", `case $1 in refs/tags/gone|refs/tags/moves) exit 1;; esac`)
	r.atSource("tag", "-d", "gone")
	r.commitOn("main", "two")
	for _, tag := range []string{"moves", "kept"} {
		r.atSource("tag", "--force", tag, "main")
	}
	r.produceSet()
	text := fails(r.rig, "RefsRefused", r.push, r.decrypted())
	require.Contains(t, text, `"refs/tags/gone", "refs/tags/moves": not updated: hook declined`)
	require.Contains(t, text, "1 tag moved")
	require.Contains(t, r.ownRefs(), shadowOf("refs/tags/gone"))
	r.hook("update", "")
	require.Contains(t, r.consumeSet().Summary, "1 tag moved, 1 tag deleted")
	r.mirrored()
}

// What could not move stays the consumer's own: it is deleted when it has gone at the source.
func TestRefusedMoveIsStillDeleted(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/tags/*", "refs/tags/*")
	r.atSource("tag", "moves", r.commitOn("main", random(1000)))
	r.produceSet()
	r.consumeSet()
	r.hook("update", `case $1 in refs/tags/*) exit 1;; esac`)
	r.atSource("tag", "--force", "moves", r.commitOn("main", "two"))
	r.atSource("tag", "new", "main")
	r.produceSet()
	fails(r.rig, "RefsRefused", r.push, r.decrypted())
	set := r.stateAt()
	require.Equal(t, set.at, set.put)

	r.hook("update", "")
	r.atSource("tag", "-d", "moves")
	r.produceSet()
	require.Contains(t, r.consumeSet().Summary, "1 tag new, 1 tag deleted")
	r.mirrored()
}

// A ref whose shadow cannot be made fails alone, too, be it for a hook or because the destination keeps what is in its way.
func TestRefusedShadowsFailAlone(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/heads/*", "refs/heads/*")
	r.commitOn("main", random(1000))
	r.atSource("branch", "a", "main")
	r.produceSet()
	r.consumeSet()
	r.hook("update", `case $1 in refs/heads/a|*prod*) exit 1;; esac`)
	r.atSource("branch", "-D", "a")
	for _, branch := range []string{"a/b", "prod", "new"} {
		r.atSource("branch", branch, "main")
	}
	r.produceSet()
	text := fails(r.rig, "RefsRefused", r.push, r.decrypted())
	require.Contains(t, text, "3 of 4 refs were refused")
	require.Contains(t, text, "1 branch new; all else is as at the source")
	for _, ref := range []string{"refs/heads/a", "refs/heads/a/b", "refs/heads/prod"} {
		require.Contains(t, text, fmt.Sprintf("%q", ref))
	}
	r.hook("update", "")
	r.consumeSet()
	r.mirrored()
}

// A folder takes the place of a ref, and a ref that of a folder. Where something of others is in the way, that ref fails alone.
func TestNamesOfFoldersInSets(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/heads/*", "refs/heads/*")
	r.commitOn("a", random(1000))
	r.atSource("branch", "b/c/d", "a")
	r.produceSet()
	r.consumeSet()
	r.atSource("branch", "tmp", "a")
	r.atSource("branch", "-D", "a")
	r.atSource("branch", "-D", "b/c/d")
	r.atSource("branch", "-m", "tmp", "a/x")
	r.atSource("branch", "b", "a/x")
	r.produceSet()
	r.atDestination("symbolic-ref", "HEAD", "refs/heads/none")
	r.consumeSet()
	r.mirrored()

	theirs, err := r.destination.Commit(t.Context(), destinationRepo, "z", nil, "theirs")
	require.NoError(t, err)
	r.atSource("branch", "z/y", "b")
	r.atSource("branch", "new", "b")
	r.produceSet()
	text := fails(r.rig, "RefsRefused", r.push, r.decrypted())
	require.Contains(t, text, `"refs/heads/z/y": refs/heads/z is there`)
	require.Contains(t, text, "1 branch new")
	require.Equal(t, theirs, r.gitAt(r.destination, destinationRepo)("rev-parse", "refs/heads/z"))
	r.atDestination("branch", "-D", "z")
	r.consumeSet()
	r.mirrored()
}

// A ref that has the name of the folder that all of a set's refs are in.
func TestNameOfTheSetsFolder(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/heads/*", "refs/heads/up/*")
	_, err := r.destination.Commit(t.Context(), destinationRepo, "up", nil, "theirs")
	require.NoError(t, err)
	r.commitOn("main", random(1000))
	r.produceSet()
	require.Contains(t, fails(r.rig, "RefsRefused", r.push, r.decrypted()), `"refs/heads/up/main": refs/heads/up is there`)
	r.atDestination("branch", "-D", "up")
	r.consumeSet()
	r.mirrored()
}

func TestSetIsFastForwardOnly(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	r.consumer.FastForwardOnly = true
	first := r.commitOn("main", random(1000))
	r.commitOn("forward", "one")
	r.commitOn("rewritten", "one")
	r.atSource("branch", "gone", "main")
	r.atSource("tag", "v1", "main")
	r.produceSet()
	r.consumeSet()

	r.commitOn("forward", "two")
	r.atSource("update-ref", "refs/heads/rewritten", first)
	r.atSource("branch", "-D", "gone")
	r.atSource("tag", "--force", "v1", "forward")
	r.atSource("tag", "v2", "forward")
	r.produceSet()
	before := r.destinationRefs()
	text := fails(r.rig, "RefsRefused", r.push, r.decrypted())
	require.Contains(t, text, "1 tag new, 1 branch moved; all else")
	require.Contains(t, text, `"refs/heads/rewritten": not a fast-forward: it is at `)
	require.Contains(t, text, `"refs/tags/v1": not a fast-forward: a tag that is there does not move`)
	for _, part := range []string{"heads/rewritten", "heads/gone", "tags/v1"} {
		old, _ := before.Find(part)
		now, there := r.destinationRefs().Find(part)
		require.True(t, there, part)
		require.Equal(t, old.Object, now.Object, part)
	}
	r.consumer.FastForwardOnly = false
	r.consumeSet()
	r.mirrored()
}

// A destination that keeps no memory shows no ref.
func TestSetNeedsItsOwnRefs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*setRig)
		kind  string
	}{
		"no transactions":    {func(r *setRig) { r.atDestination("config", "receive.advertiseAtomic", "false") }, "NoAtomicPush"},
		"hidden from all":    {func(r *setRig) { r.atDestination("config", "transfer.hideRefs", ownRefs) }, "RefForbidden"},
		"hidden from reads":  {func(r *setRig) { r.atDestination("config", "uploadpack.hideRefs", ownRefs) }, "RefForbidden"},
		"hidden from pushes": {func(r *setRig) { r.atDestination("config", "receive.hideRefs", ownRefs) }, "RefForbidden"},
		"refused":            {func(r *setRig) { r.hook("update", `case $1 in refs/heads/*|refs/tags/*) ;; *) exit 1;; esac`) }, "PushRefused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSetPushRig(t, "refs/*", "refs/*")
			r.commitOn("main", random(1000))
			r.produceSet()
			test.spoil(r)
			fails(r.rig, test.kind, r.push, r.decrypted())
			require.Empty(t, r.destinationRefs())
		})
	}
}

// Of a branch beside sets, only its own refs are asked for.
func TestBranchAsksForItsOwnRefs(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	asked := make(chan string, 100)
	r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/git-upload-pack") {
				body, _ := io.ReadAll(req.Body)
				req.Body = io.NopCloser(bytes.NewReader(body))
				asked <- string(body)
			}
			next.ServeHTTP(w, req)
		})
	}))
	_, err := r.consumer.readDestination(t.Context(), r.sync.Destination)
	require.NoError(t, err)
	request := <-asked
	require.Contains(t, request, "ref-prefix "+ownRefs+"/applied\n")
	require.NotContains(t, request, "ref-prefix "+ownRefs+"\n")
	require.NotContains(t, request, putFolder)
}
