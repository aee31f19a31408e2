package activities

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// setRig is a rig whose sync is of a set, with objects as a producer makes them.
type setRig struct {
	*rig
	put refset.List // the state that was uploaded last
}

func newSetPushRig(t *testing.T, source, destination string) *setRig {
	t.Helper()
	r := newTrustedRig(t)
	r.sync.Source.Branch, r.sync.Destination.Branch = source, destination
	r.consumer.DeleteRefs, r.consumer.MaxDeletedShare = true, 0.5
	return &setRig{rig: r}
}

// refsAt lists a repository's refs that match a set, by what the * stands for.
func (r *setRig) refsAt(git func(args ...string) string, set project.Branch) (list refset.List) {
	r.Helper()
	var refs []refset.Ref
	for line := range strings.Lines(git("for-each-ref", "--format=%(objectname) %(refname)")) {
		id, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		if part, ok := set.Match(ref); ok {
			refs = append(refs, refset.Ref{Part: part, Object: id})
		}
	}
	list, err := refset.New(refs)
	require.NoError(r, err)
	return list
}

func (r *setRig) gitAt(server interface{ Dir(string) string }, repo string) func(args ...string) string {
	return func(args ...string) string {
		r.Helper()
		cmd := exec.CommandContext(r.Context(), "git", args...)
		cmd.Dir = server.Dir(repo)
		out, err := cmd.CombinedOutput()
		require.NoError(r, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
}

func (r *setRig) sourceRefs() refset.List {
	return r.refsAt(r.gitAt(r.source, sourceRepo), r.sync.Source)
}

func (r *setRig) destinationRefs() refset.List {
	return r.refsAt(r.gitAt(r.destination, destinationRepo), r.sync.Destination)
}

// produceSet uploads what the source is now, as an increment unless it is the first.
func (r *setRig) produceSet() object.ID {
	r.Helper()
	next := r.sourceRefs()
	changed := refset.Diff(r.put, next)
	var revisions strings.Builder
	for _, ref := range next {
		fmt.Fprintln(&revisions, ref.Object)
	}
	for _, ref := range r.put {
		fmt.Fprintln(&revisions, "^"+ref.Object)
	}
	cmd := exec.CommandContext(r.Context(), "git", "pack-objects", "--revs", "--thin", "--stdout", "-q")
	cmd.Dir, cmd.Stdin = r.source.Dir(sourceRepo), strings.NewReader(revisions.String())
	pack, err := cmd.Output()
	require.NoError(r, err)
	id := object.ID{Destination: r.sync.Destination, Commit: next.StateID(), Base: r.put.StateID()}
	r.put = next
	return r.uploadSet(id, changed, changed, pack)
}

// uploadSet uploads an object with these refs, a bundle's header with those, and this pack.
func (r *setRig) uploadSet(id object.ID, changed refset.Difference, header []refset.Ref, pack []byte) object.ID {
	r.Helper()
	content, err := bundle.EncodeSetHeader(id.Destination, header)
	require.NoError(r, err)
	content = append(content, pack...)
	sum := sha256.Sum256(content)
	b := archive.Bundle{ID: id, Thin: id.Base != "", CreatedAt: r.producer.Clock(), Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
	b.BindRefs(changed.Encode())
	manifest, err := archive.Manifest{Bundle: b, CreatedBy: "test"}.Encode()
	require.NoError(r, err)
	signature, err := r.producer.Signer.Sign(manifest)
	require.NoError(r, err)
	var head, plain bytes.Buffer
	require.NoError(r, archive.WriteHead(&head, manifest, signature, changed.Encode(), nil))
	require.NoError(r, archive.Write(&plain, &head, bytes.NewReader(content)))
	key, err := id.Key()
	require.NoError(r, err)
	r.rig.put(key, r.seal(plain.Bytes()))
	return id
}

// planSet is the push of the set that is planned now.
func (r *setRig) planSet() plan.Push {
	r.Helper()
	to, err := r.consumer.readDestination(r.Context(), r.sync.Destination)
	require.NoError(r, err)
	c := r.chains()[r.sync.Destination]
	return plan.Push{Destination: r.sync.Destination, Commit: c.Tip(), Objects: c.Restoring(), Since: c.Newest().Modified, Head: to.tip}
}

func (r *setRig) downloaded() consuming {
	r.Helper()
	return must(r.rig, r.download, r.planSet())
}

func (r *setRig) decrypted() consuming {
	r.Helper()
	return must(r.rig, r.decrypt, r.downloaded())
}

// consumeSet pushes the set, which must succeed.
func (r *setRig) consumeSet() Pushed {
	r.Helper()
	return must(r.rig, r.push, r.decrypted())
}

// mirroredBut requires that the destination's refs are those of the source, beside those of others, and that nothing is left to do.
func (r *setRig) mirroredBut(others ...string) {
	r.Helper()
	r.mirroredRefs(others...)
	r.atDestination("fsck", "--strict")
	to, err := r.consumer.readDestination(r.Context(), r.sync.Destination)
	require.NoError(r, err)
	require.Len(r, to.guard.objects, 1)
	require.Contains(r, to.guard.objects, setNotePrefix(r.sync.Destination, r.planSet().Since, noteSettings{unsigned: !r.consumer.Verifier.Verifies(), keeping: !r.consumer.deletionPolicy().allowed})+r.destinationRefs().StateID())
	require.Equal(r, r.sourceRefs().StateID(), to.incoming)
	require.Empty(r, to.unwanted)
	for ref, object := range to.set.put {
		require.Equal(r, object, to.set.at[ref], "the shadow of %s", ref)
	}
}

func TestSetArrivesAndFollows(t *testing.T) {
	t.Parallel()
	for _, sync := range [][2]string{{"refs/*", "refs/*"}, {"refs/heads/*", "refs/heads/upstream/*"}, {"refs/tags/*", "refs/tags/*"}} {
		t.Run(sync[0], func(t *testing.T) {
			t.Parallel()
			r := newSetPushRig(t, sync[0], sync[1])
			first := r.commitOn("main", random(50_000))
			r.commitOn("release/1", "one")
			r.annotate("main", "first")
			r.atSource("tag", "light", "main")
			r.produceSet()
			pushed := r.consumeSet()
			require.Regexp(t, `^(2 branches|2 tags|2 branches new, 2 tags) new: state `, pushed.Summary)
			r.mirrored()
			require.Contains(t, r.consumeSet().Summary, "no ref changed")

			r.commitOn("main", "two")
			r.commitOn("release/2", "two")
			r.annotate("main", "moved")
			r.atSource("tag", "v2", first)
			r.atSource("tag", "-d", "light")
			r.atSource("branch", "-D", "release/1")
			r.produceSet()
			require.Len(t, r.downloaded().Objects, 1, "an increment")
			pushed = r.consumeSet()
			require.Less(t, pushed.Size, int64(10_000))
			r.mirrored()

			r.atSource("branch", "-D", "release/2")
			r.atSource("tag", "-d", "v2")
			r.produceSet()
			pushed = r.consumeSet()
			require.Contains(t, pushed.Summary, "deleted: state")
			r.mirrored()

			r.destination, r.consumer.Destination = r.git(destinationRepo)
			require.Len(t, r.downloaded().Objects, 3, "the whole chain")
			r.consumeSet()
			r.mirrored()
		})
	}
}

// What others have put there is neither touched nor taken for ours, wherever it is.
func TestSetLeavesRefsOfOthersAlone(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	theirs, err := r.destination.Commit(t.Context(), destinationRepo, "theirs", nil, "theirs")
	require.NoError(t, err)
	r.atDestination("tag", "theirs", theirs)
	r.commitOn("main", random(1000))
	r.atSource("tag", "v1", "main")
	r.atSource("branch", "old", "main")
	r.atSource("branch", "older", "main")
	r.produceSet()
	r.consumeSet()
	r.mirroredBut("heads/theirs", "tags/theirs")

	// They move one of ours, and delete one, and make one that the source has deleted.
	r.atDestination("update-ref", "refs/heads/old", theirs)
	r.atDestination("update-ref", "-d", "refs/tags/v1")
	r.atSource("branch", "-D", "old")
	r.atSource("branch", "-D", "older")
	r.commitOn("main", "two")
	r.produceSet()
	r.consumeSet()
	r.mirroredBut("heads/theirs", "tags/theirs", "heads/old")
	require.Equal(t, theirs, r.gitAt(r.destination, destinationRepo)("rev-parse", "refs/heads/old"))

	r.atDestination("update-ref", "refs/heads/main", theirs)
	r.consumeSet()
	r.mirroredBut("heads/theirs", "tags/theirs", "heads/old")
	require.NotContains(t, r.ownRefs(), shadowOf("refs/heads/theirs"))
}

func (r *setRig) mirrored() {
	r.Helper()
	r.mirroredBut()
}

func (r *setRig) mirroredRefs(others ...string) {
	r.Helper()
	now := slices.DeleteFunc(r.destinationRefs(), func(ref refset.Ref) bool { return slices.Contains(others, ref.Part) })
	require.Equal(r, string(r.sourceRefs().Encode()), string(now.Encode()))
}
