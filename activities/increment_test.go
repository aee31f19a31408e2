package activities

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// random is text that does not compress to less than n bytes.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// reset moves the source's branch to any commit, as a force push does.
func (r *rig) reset(commit string) {
	r.Helper()
	_, err := r.source.Git(r.Context(), sourceRepo, "update-ref", r.sync.Source.Ref(), commit)
	require.NoError(r, err)
}

// at moves the destination's branch behind our back.
func (r *rig) at(commit string) {
	r.Helper()
	_, err := r.destination.Git(r.Context(), destinationRepo, "update-ref", r.sync.Destination.Ref(), commit)
	require.NoError(r, err)
}

// forget makes a repository lose what no reference leads to.
func forget(r *rig, git func(args ...string)) {
	r.Helper()
	git("reflog", "expire", "--expire=now", "--all")
	git("repack", "-adkfq")
	git("prune", "--expire=now")
	git("repack", "-adfq")
	git("prune-packed", "-q")
}

func (r *rig) atSource(args ...string) {
	r.Helper()
	_, err := r.source.Git(r.Context(), sourceRepo, args...)
	require.NoError(r, err, "%v", args)
}

func (r *rig) atDestination(args ...string) {
	r.Helper()
	_, err := r.destination.Git(r.Context(), destinationRepo, args...)
	require.NoError(r, err, "%v", args)
}

// arrives runs a cycle on both sides and expects the destination to be sound and at commit.
func (r *rig) arrives(commit string) (Uploaded, Pushed) {
	r.Helper()
	uploaded := r.produce()
	require.Len(r, uploaded, 1)
	pushed := r.consume()
	require.Len(r, pushed, 1)
	require.Equal(r, commit, r.tip())
	r.atDestination("fsck", "--connectivity-only", "--strict")
	must(r, r.producer.Prune, PruneRequest{})
	return uploaded[0], pushed[0]
}

func TestBranchThatIsRewritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.commit(random(20_000))
	r.arrives(first)
	second := r.commit("two")
	r.arrives(second)

	t.Run("back to an ancestor", func(t *testing.T) {
		r.reset(first)
		uploaded, pushed := r.arrives(first)
		require.Equal(t, second, uploaded.ID.Base, "an increment of nothing")
		require.Equal(t, second, pushed.Old)
	})
	t.Run("to another history, base still known", func(t *testing.T) {
		third := r.commit("three")
		uploaded, _ := r.arrives(third)
		require.NotEmpty(t, uploaded.ID.Base)
	})
	t.Run("to another history, base collected", func(t *testing.T) {
		r.reset(first)
		forget(r, r.atSource)
		fourth := r.commit("four")
		uploaded, _ := r.arrives(fourth)
		require.Empty(t, uploaded.ID.Base, "the source does not know the base: a snapshot")
		require.Contains(t, uploaded.Summary, "snapshot")
	})
	t.Run("deleted and made again", func(t *testing.T) {
		r.atSource("update-ref", "-d", r.sync.Source.Ref())
		u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
		require.Equal(t, "the source branch does not exist", u.Reason)
		fails(r, "BranchNotFound", r.clone, u)
		tip := r.commit("five")
		r.arrives(tip)
	})
}

// A destination gets just the end of the chain that it lacks.
func TestDestinationLacksTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	commits := []string{r.commit(random(20_000))}
	r.produce()
	for _, content := range []string{"two", "three"} {
		commits = append(commits, r.commit(content))
		r.produce()
	}
	all := r.planPushes().Moves[0].Objects
	require.Len(t, all, 3)

	lacks := func(destination string) int {
		t.Helper()
		if destination != "" {
			r.at(destination)
		}
		d := must(r, r.download, r.planPushes().Moves[0])
		require.Equal(t, commits[2], must(r, r.push, must(r, r.decrypt, d)).Commit)
		return len(d.Objects)
	}
	require.Equal(t, 3, lacks(""), "an empty destination gets the whole chain")
	require.Equal(t, 1, lacks(commits[1]), "one increment behind")
	require.Equal(t, 2, lacks(commits[0]), "two increments behind")

	r.at(commits[0])
	other, err := r.destination.Commit(t.Context(), destinationRepo, r.sync.Destination.Branch, map[string]string{"theirs": "x"}, "not ours")
	require.NoError(t, err)
	require.Equal(t, 1, lacks(other), "moved by someone else, but it still has the last base")
	r.at(other)
	require.Equal(t, other, r.consume()[0].Old, "who moved it can find the commit again")

	forget(r, r.atDestination)
	r.atDestination("branch", "-f", "keep", commits[0])
	r.at(commits[0])
	forget(r, r.atDestination)
	require.Equal(t, 2, lacks(""))
}

// Between the plan and the download the producer may replace what was planned.
func TestObjectsThatAreReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	first := r.produce()[0]
	p := r.planPushes().Moves[0]
	tip := r.commit("two")
	second := r.produce()[0]
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), first.Key, second.Key))
	r.produce() // now as a snapshot
	d := must(r, r.download, p)
	require.Equal(t, tip, d.Target.Commit)
	must(r, r.push, must(r, r.decrypt, d))
	require.Equal(t, tip, r.tip())
}

func TestObjectsThatAreGoneForGood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	uploaded := r.produce()[0]
	p := r.planPushes().Moves[0]
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), uploaded.Key))
	pushed := must(r, r.push, must(r, r.decrypt, must(r, r.download, p)))
	require.Equal(t, "nothing to push", pushed.Summary)
}

// Without its middle a chain restores nothing; the producer puts a snapshot in its place.
func TestBrokenChainHeals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.commit(random(20_000))
	snapshot := r.produce()[0]
	r.consume()
	r.commit("two")
	r.produce()
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), snapshot.Key))

	p := r.planPushes().Moves[0]
	require.Len(t, must(r, r.download, p).Objects, 1, "who has the base can go on")
	unrelated, err := r.destination.Commit(t.Context(), destinationRepo, "unrelated", map[string]string{"x": "x"}, "x")
	require.NoError(t, err)
	r.at(unrelated)
	forget(r, r.atDestination)
	require.Contains(t, fails(r, "BrokenChain", r.download, p), "it has no object for commit "+first)

	healed := r.produce()
	require.Empty(t, healed[0].ID.Base)
	r.consume()
	require.Equal(t, healed[0].ID.Commit, r.tip())
}

// A destination may acknowledge a commit whose files it has lost.
func TestDestinationCannotCompleteIncrement(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	base := r.commit("one\n" + strings.Repeat("a line that both versions share\n", 100))
	r.arrives(base)
	tip := r.commit("two\n" + strings.Repeat("a line that both versions share\n", 100))
	r.produce()
	unrelated, err := r.destination.Commit(t.Context(), destinationRepo, "unrelated", map[string]string{"x": "x"}, "x")
	require.NoError(t, err)
	commit, err := r.source.Git(t.Context(), sourceRepo, "cat-file", "commit", base)
	require.NoError(t, err)
	r.at(unrelated)
	forget(r, r.atDestination)
	file := filepath.Join(t.TempDir(), "commit")
	require.NoError(t, os.WriteFile(file, []byte(commit+"\n"), 0o600))
	r.atDestination("hash-object", "-t", "commit", "-w", "--literally", file)

	p := r.planPushes().Moves[0]
	d := must(r, r.download, p)
	require.Len(t, d.Objects, 1)
	fails(r, KindBaseMissing, r.push, must(r, r.decrypt, d))
	require.Equal(t, unrelated, r.tip())

	p.FromSnapshot = true // as the workflow does now
	must(r, r.push, must(r, r.decrypt, must(r, r.download, p)))
	require.Equal(t, tip, r.tip())
}

// withoutThinPacks makes a Git server advertise that it does not complete thin packs.
func withoutThinPacks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Query().Get("service") != "git-receive-pack" {
			next.ServeHTTP(w, req)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, req)
		maps.Copy(w.Header(), answer.Header())
		service, refs, _ := strings.Cut(answer.Body.String(), "0000")
		length, _ := strconv.ParseInt(refs[:4], 16, 32)
		_, _ = fmt.Fprintf(w, "%s0000%04x%s no-thin\n%s", service, length+8, strings.TrimSuffix(refs[4:length], "\n"), refs[length:])
	})
}

func TestDestinationWithoutThinPacks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.destination, r.consumer.Destination = r.git(destinationRepo, gitserver.WithMiddleware(withoutThinPacks))
	shared := random(20_000)
	r.arrives(r.commit("one\n" + shared))
	tip := r.commit("two\n" + shared)
	thin := r.produce()[0]
	require.NotEmpty(t, thin.ID.Base)
	decrypted := must(r, r.decrypt, must(r, r.download, r.planPushes().Moves[0]))
	require.Contains(t, fails(r, "NoThinPacks", r.push, decrypted), "Set THIN_PACKS=false for the producer")

	r.producer.ThinPacks = false
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), thin.Key))
	uploaded, _ := r.arrives(tip)
	require.Equal(t, thin.ID.Base, uploaded.ID.Base, "an increment still, but self-contained")
	require.Greater(t, uploaded.Size, thin.Size)
}

// A run that is reset long after its plan was made does not build on what has been pruned.
func TestStalePlanMakesSnapshot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("one")
	first := r.produce()[0]
	r.commit("two")
	u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	require.Equal(t, []string{first.Key}, u.BaseKeys)
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), first.Key))
	require.Empty(t, must(r, r.clone, u).Bundle.Base)
}

func TestTwoDestinationsOfOneBucket(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tip := r.commit("one")
	other := r.sync
	other.Destination.Branch = "other"
	r.producer.Syncs = &listed{syncs: []project.Sync{r.sync, other}}
	for _, u := range must(r, r.producer.PlanUploads, PlanRequest{}).Moves {
		must(r, r.upload, must(r, r.encrypt, must(r, r.pack, must(r, r.clone, u))))
	}
	require.Len(t, r.consume(), 2)
	require.Equal(t, tip, r.tip())
	sha, err := r.destination.Git(t.Context(), destinationRepo, "rev-parse", "other")
	require.NoError(t, err)
	require.Equal(t, tip, sha)
}
