package activities

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// Whoever may push to the destination may write refs there, too. None of them stops a branch for good.
func TestForeignRefsInOurFoldersHeal(t *testing.T) {
	t.Parallel()
	future := fmt.Sprint(time.Now().AddDate(100, 0, 0).UnixNano())
	many := func() (refs []string) {
		for i := range maxUnwanted + 100 {
			refs = append(refs, fmt.Sprintf("applied/stable/at-%d", i+1))
		}
		return refs
	}
	for name, refs := range map[string][]string{
		"a file in place of the replay guard":   {"applied"},
		"a file in place of the branch's":       {"applied/stable"},
		"a file in place of what is incoming":   {"incoming/stable"},
		"a folder in place of what is incoming": {"incoming/stable/tip/x"},
		"folders in place of times":             {"applied/stable/at-0/x", "applied/stable/object-1/x"},
		"the far future":                        {"applied/stable/at-" + future},
		"no times at all":                       {"applied/stable/at-9999999999999999999", "applied/stable/at-", "applied/stable/x"},
		"too many":                              many(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			tip := r.commit(random(20_000))
			theirs, err := r.destination.Commit(t.Context(), destinationRepo, "theirs", nil, "theirs")
			require.NoError(t, err)
			lines := []string{theirs + " refs/heads/theirs\n"}
			for _, ref := range refs {
				lines = append(lines, theirs+" "+ownRefs+"/"+ref+"\n")
			}
			slices.Sort(lines)
			packed := "# pack-refs with: peeled fully-peeled sorted \n" + strings.Join(lines, "")
			require.NoError(t, os.WriteFile(filepath.Join(r.destination.Dir(destinationRepo), "packed-refs"), []byte(packed), 0o600))

			r.produce()
			pushed := r.consume()[0]
			require.Equal(t, tip, r.tip())
			require.Len(t, r.ownRefs(), 2)
			var removed int
			_, err = fmt.Sscanf(pushed.Warning, "removed %d refs", &removed)
			require.NoError(t, err, pushed.Warning)
			require.GreaterOrEqual(t, removed, len(refs)-1, "the latest time of many counts, and is replaced")
			require.Contains(t, pushed.Warning, ownRefs)
		})
	}
}

// Before version 2 of the protocol, what an annotated tag stands for is listed like a ref that nobody can delete.
func TestForeignTagsInOurFoldersHeal(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"applied/stable/at-5", "applied/stable/object-5", "applied/stable/x", "incoming/stable/tip", "incoming/stable/x"} {
		t.Run(ref, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithoutProtocolV2())
			theirs, err := r.destination.Commit(t.Context(), destinationRepo, "theirs", nil, "theirs")
			require.NoError(t, err)
			r.atDestination("-c", "user.name=they", "-c", "user.email=they@example.com", "tag", "-a", "-m", "tag", "theirs", theirs)
			r.atDestination("update-ref", ownRefs+"/"+ref, "refs/tags/theirs")
			r.arrives(r.commit(random(20_000)))
			require.Len(t, r.ownRefs(), 2)
		})
	}
}

// A ref of ours that moves while the server takes a push, as an earlier push may still do there, is no refusal.
func TestOwnRefThatMovesDuringThePush(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	var between func()
	r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if between != nil && req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/git-receive-pack") {
				between()
				between = nil
			}
			next.ServeHTTP(w, req)
		})
	}))
	_, err := r.destination.Commit(t.Context(), destinationRepo, "theirs", nil, "theirs")
	require.NoError(t, err)
	requirePushed := func(decrypted consuming, tip string) {
		must(r, r.push, decrypted)
		require.Equal(t, tip, r.tip())
		require.Len(t, r.ownRefs(), 2)
	}
	tip := r.longChain()
	between = func() { r.atDestination("update-ref", incomingRef(r.sync.Destination), "refs/heads/theirs") }
	decrypted := must(r, r.decrypt, r.received())
	_, err = execute(r, r.push, decrypted)
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.NonRetryable(), failure)
	requirePushed(decrypted, tip)

	// One that goes by what Download has seen reads the destination again, and pushes once more.
	tip = r.commit("next")
	r.produce()
	between = func() { r.atDestination("update-ref", "-d", r.remembered()) }
	requirePushed(must(r, r.decrypt, r.received()), tip)
	require.Nil(t, between, "it was deleted meanwhile")
}
