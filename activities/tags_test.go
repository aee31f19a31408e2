package activities

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// newTagRig is a rig whose sync is of a tag.
func newTagRig(t *testing.T, newRig func(*testing.T) *rig) *rig {
	t.Helper()
	r := newRig(t)
	r.sync.Source.Branch, r.sync.Destination.Branch = "refs/tags/v1", "refs/tags/released/v1"
	r.configure(r.sync)
	return r
}

// commitOn adds a commit to a branch of the source, which no sync is of.
func (r *rig) commitOn(branch, content string) string {
	r.Helper()
	sha, err := r.source.Commit(r.Context(), sourceRepo, branch, map[string]string{"file": content}, content[:min(len(content), 50)])
	require.NoError(r, err)
	return sha
}

// annotate makes the source's tag an annotated one of an object, or moves it there.
func (r *rig) annotate(what, message string) (tag string) {
	r.Helper()
	r.atSource("-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "--force", "--annotate", "--message", message, "v1", what)
	tag, err := r.source.Git(r.Context(), sourceRepo, "rev-parse", "refs/tags/v1")
	require.NoError(r, err)
	return tag
}

// refs are the destination's, without our own.
func (r *rig) refs() []string {
	r.Helper()
	out, err := r.destination.Git(r.Context(), destinationRepo, "for-each-ref", "--format=%(objecttype) %(refname)", "refs/heads", "refs/tags")
	require.NoError(r, err)
	return strings.FieldsFunc(out, func(c rune) bool { return c == '\n' })
}

// A tag arrives as it is at the source, an annotated one with its tag object, and follows it when it is moved there: by increments,
// and from the whole chain.
func TestTagArrivesAndMoves(t *testing.T) {
	t.Parallel()
	for name, newRig := range map[string]func(*testing.T) *rig{"verified": newTrustedRig, "unverified": newRig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTagRig(t, newRig)
			shared := random(40_000)
			r.commitOn("main", "one"+shared)
			first := r.annotate("main", "first")
			uploaded, pushed := r.arrives(first)
			require.Empty(t, uploaded.ID.Base)
			require.Contains(t, pushed.Summary, "created at "+plan.Short(first))
			require.Equal(t, []string{"tag refs/tags/released/v1"}, r.refs(), "nothing else comes with it")
			require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
			require.Empty(t, r.planPushes().Moves)

			r.commitOn("main", "two"+random(5_000)+shared)
			second := r.annotate("main", "second")
			uploaded, pushed = r.arrives(second)
			require.Equal(t, first, uploaded.ID.Base)
			require.Less(t, uploaded.Size, int64(20_000), "an increment, and a delta")
			require.Equal(t, first, pushed.Old)

			light := r.commitOn("main", "three"+shared)
			r.reset(light)
			uploaded, _ = r.arrives(light)
			require.Equal(t, second, uploaded.ID.Base)
			require.Equal(t, []string{"commit refs/tags/released/v1"}, r.refs())

			back := r.annotate("main~2", "far back")
			r.arrives(back)
			require.GreaterOrEqual(t, len(r.chains()[r.sync.Destination].Objects), 3)
			r.destination, r.consumer.Destination = r.git(destinationRepo)
			r.consume()
			require.Equal(t, back, r.tip(), "a destination that has nothing gets the whole chain")
			r.atDestination("fsck", "--strict")

			r.atSource("tag", "--delete", "v1")
			u := must(r, r.producer.PlanUploads, PlanRequest{PageRequest: plan.PageRequest{Detail: true}})
			require.Contains(t, u.Failed[0].Reason, "the source tag does not exist")
			u = must(r, r.producer.PlanUploads, PlanRequest{})
			require.Contains(t, fails(r, plan.KindBranchNotFound, r.clone, u.Moves[0]), "source platform/router@refs/tags/v1: tag does not exist")
			require.Empty(t, r.consume(), "what is not said to be gone stays")
			require.Equal(t, back, r.tip())
		})
	}
}

// A destination is asked which of a tag's earlier objects it has, which no ref of it names.
func TestDestinationLacksTheEndOfATagsChain(t *testing.T) {
	t.Parallel()
	r := newTagRig(t, newTrustedRig)
	r.commitOn("main", random(20_000))
	r.annotate("main", "first")
	r.produce()
	r.consume()
	second := r.annotate("main", "second")
	r.produce()
	r.consume()
	r.annotate("main", "third")
	r.produce()
	r.atDestination("-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "--force", "--annotate", "--message", "theirs", "released/v1", "released/v1^{}")
	theirs := r.tip()

	d := r.received()
	require.Len(t, d.Objects, 1, "it was moved by someone else, and still has the last base")
	require.Equal(t, second, d.Objects[0].Base)
	require.Equal(t, theirs, must(r, r.push, must(r, r.decrypt, d)).Old)
}

// Tags of whatever Git has arrive: git itself has tags of blobs.
func TestTagOfATreeOrBlob(t *testing.T) {
	t.Parallel()
	r := newTagRig(t, newTrustedRig)
	r.commitOn("main", random(20_000))
	for _, what := range []string{"main^{tree}", "main:file", "main"} {
		object, err := r.source.Git(t.Context(), sourceRepo, "rev-parse", what)
		require.NoError(t, err)
		r.reset(object)
		r.arrives(object)
		r.arrives(r.annotate(what, what))
		require.Len(t, r.ownRefs(), 2)
	}
}

func TestTagIsReplayed(t *testing.T) {
	t.Parallel()
	r := newTagRig(t, newTrustedRig)
	r.commitOn("main", random(20_000))
	first := r.annotate("main", "first")
	r.arrives(first)
	second := r.annotate("main", "second")
	uploaded, _ := r.arrives(second)
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), uploaded.Key))
	r.withoutCatalog()
	fails(r, "Replayed", r.push, must(r, r.decrypt, r.received()))
	require.Equal(t, second, r.tip())

	p := r.planPushes().Moves[0]
	p.AllowRollback = true
	must(r, r.push, must(r, r.decrypt, must(r, r.download, p)))
	require.Equal(t, first, r.tip(), "the operator said so")
}

// Under this policy nothing that a tag was is lost, be it an ancestor of what it becomes.
func TestTagDoesNotMoveUnderFastForward(t *testing.T) {
	t.Parallel()
	r := newTagRig(t, newTrustedRig)
	r.consumer.FastForwardOnly = true
	first := r.commitOn("main", random(20_000))
	r.reset(first)
	r.arrives(first)
	second := r.commitOn("main", "two")
	r.reset(second)
	r.produce()
	text := fails(r, "NotFastForward", r.push, must(r, r.decrypt, r.received()))
	require.Contains(t, text, "the destination's is at "+first+", the source's at "+second)
	require.Contains(t, text, "PUSH_POLICY=overwrite")
	require.Equal(t, first, r.tip())
	require.Len(t, r.ownRefs(), 2, "what was refused leaves nothing behind")

	r.consumer.FastForwardOnly = false
	r.consume()
	require.Equal(t, second, r.tip())
}

// A branch and a tag of one name in one project do not get into each other's way.
func TestTagBesideBranches(t *testing.T) {
	t.Parallel()
	r := newTagRig(t, newTrustedRig)
	branches := []string{"released/v1", "refs", "tags/released/v1"}
	syncs := []project.Sync{r.sync}
	for _, branch := range branches {
		s := r.sync
		s.Source.Branch, s.Destination.Branch = "main", branch
		syncs = append(syncs, s)
	}
	r.configure(syncs...)
	for i := range 3 {
		tip := r.commitOn("main", fmt.Sprint(i, random(100)))
		tag := r.annotate("main", fmt.Sprint(i))
		require.Len(t, r.produce(), 4)
		require.Len(t, r.consume(), 4)
		require.Equal(t, tag, r.tip())
		for _, branch := range branches {
			now, err := r.destination.Git(t.Context(), destinationRepo, "rev-parse", "refs/heads/"+branch)
			require.NoError(t, err)
			require.Equal(t, tip, now)
		}
		require.Len(t, r.ownRefs(), 8)
		require.Empty(t, r.planPushes().Moves)
	}
}

// Stock tools restore a tag from its objects: the snapshot is cloned, and increments are fetched.
func TestStockGitReadsATagsBundles(t *testing.T) {
	t.Parallel()
	r := newTagRig(t, newTrustedRig)
	shared := random(40_000)
	var want []string
	for i, size := range []int{0, 5_000, 1_000} { // each object less than half as large as the one before
		r.commitOn("main", fmt.Sprint(i, shared, random(size)))
		want = append(want, r.annotate("main", fmt.Sprint(i)))
		r.produce()
	}
	d := must(r, r.decrypt, r.received())
	require.Len(t, d.Bundles, 3)
	clone := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = clone
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + clone, "GIT_CONFIG_NOSYSTEM=1"}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "git %s: %s", args, out)
		return strings.TrimSpace(string(out))
	}
	for i := range d.Bundles {
		path := filepath.Join(t.TempDir(), "repository.bundle")
		content := r.bundle(d, i)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		if i == 0 {
			git("clone", "--quiet", path, ".")
		} else {
			git("fetch", "--quiet", path, "+refs/tags/*:refs/tags/*")
		}
		require.Equal(t, want[i], git("rev-parse", "refs/tags/released/v1"))
	}
	git("fsck", "--strict")
	git("checkout", "--quiet", "released/v1")
}
