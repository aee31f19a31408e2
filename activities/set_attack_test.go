package activities

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

func TestSetIsReplayed(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	r.commitOn("main", random(1000))
	first := r.produceSet()
	r.consumeSet()
	r.atSource("branch", "second", "main")
	second := r.produceSet()
	r.consumeSet()
	key, err := second.Key()
	require.NoError(t, err)
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), key))
	fails(r.rig, "Replayed", r.push, r.decrypted())
	r.mirroredRefs()

	// Not even where somebody has moved a ref.
	r.atDestination("branch", "-m", "second", "renamed")
	fails(r.rig, "Replayed", r.push, r.decrypted())
	p := r.planSet()
	p.AllowRollback = true
	must(r.rig, r.push, must(r.rig, r.decrypt, must(r.rig, r.download, p)))
	r.atDestination("branch", "-D", "renamed")
	require.Equal(t, first.Commit, r.destinationRefs().StateID(), "the operator said so")
}

// What was made for one state of one set does not become another.
func TestSetsObjectsAreForTheirState(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/heads/*", "refs/heads/*")
	r.commitOn("main", random(1000))
	first := r.produceSet()
	key, err := first.Key()
	require.NoError(t, err)
	content := r.content(key)
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), key))
	for _, id := range []object.ID{
		{Destination: r.sync.Destination, Commit: objectA},
		{Destination: project.Branch{Group: r.sync.Destination.Group, Name: r.sync.Destination.Name, Branch: "refs/heads/m*"}, Commit: first.Commit},
		{Destination: project.Branch{Group: r.sync.Destination.Group, Name: r.sync.Destination.Name, Branch: "refs/*"}, Commit: first.Commit},
	} {
		r.sync.Destination = id.Destination
		key, err := id.Key()
		require.NoError(t, err)
		r.rig.put(key, content)
		fails(r.rig, "ObjectMismatch", r.download, r.planSet())
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), key))
	}
	require.Empty(t, r.destinationRefs())
}

// Refs that do not lead to the state of the key, and headers that have others than the refs, are refused, be they signed.
func TestSetsContentIsOfItsState(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/heads/*", "refs/heads/*")
	r.commitOn("main", random(1000))
	first := r.produceSet()
	r.consumeSet()
	tip := r.put[0].Object
	next := listOf(t, map[string]string{"main": tip, "new": tip})
	good := refset.Difference{{Part: "new", Object: tip}}
	id := object.ID{Destination: r.sync.Destination, Commit: next.StateID(), Base: first.Commit}
	key, err := id.Key()
	require.NoError(t, err)

	for _, refs := range []refset.Difference{nil, {{Part: "other", Object: tip}}, {{Part: "main", Object: strings.Repeat("0", 40)}}, append(slices.Clone(good), refset.Ref{Part: "x", Object: tip})} {
		r.uploadSet(id, refs, refs, smarthttp.EmptyPack)
		fails(r.rig, "MalformedObject", r.download, r.planSet())
	}
	for _, header := range [][]refset.Ref{nil, {{Part: "main", Object: tip}}, append(slices.Clone(good), refset.Ref{Part: "x", Object: tip})} {
		r.uploadSet(id, good, header, smarthttp.EmptyPack)
		fails(r.rig, "MalformedObject", r.push, r.decrypted())
	}
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), key))
	trusted := r.producer.Signer
	r.producer.Signer, _ = signingKey(t)
	r.uploadSet(id, good, good, smarthttp.EmptyPack)
	fails(r.rig, "BadSignature", r.download, r.planSet())
	require.Equal(t, first.Commit, r.destinationRefs().StateID())
	r.producer.Signer = trusted
	r.uploadSet(id, good, good, smarthttp.EmptyPack)
	r.consumeSet()
	require.Equal(t, id.Commit, r.destinationRefs().StateID())
}

// Whoever writes to the worker's disk does not get other refs pushed.
func TestAlteredRefsAreNotPushed(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/heads/*", "refs/heads/*")
	tip := r.commitOn("main", random(1000))
	r.produceSet()
	for name, text := range map[string]string{
		refsFile:              tip + " main\n" + tip + " more\n",
		numbered(refsFile, 0): tip + " more\n",
	} {
		d := r.decrypted()
		run, err := r.consumer.Staging.Run(d.Staged.Run)
		require.NoError(t, err)
		require.NoError(t, run.Create(name, func(f *os.File) error {
			_, err := f.WriteString(text)
			return err
		}))
		fails(r.rig, "AlteredFile", r.push, d)
		require.Empty(t, r.destinationRefs(), name)
	}
}

// What the destination seems to have, and has not, is sent from the beginning.
func TestStateThatWasNotSent(t *testing.T) {
	t.Parallel()
	r := newSetPushRig(t, "refs/*", "refs/*")
	r.commitOn("main", random(1000))
	r.produceSet()
	r.consumeSet()
	r.commitOn("main", "two")
	id := r.produceSet()
	r.atDestination("update-ref", "-d", stateRef(r.sync.Destination, id.Base))
	r.atDestination("update-ref", stateRef(r.sync.Destination, id.Commit), "refs/heads/main")
	p := r.planSet()
	fails(r.rig, KindBaseMissing, r.push, must(r.rig, r.decrypt, must(r.rig, r.download, p)))
	p.FromSnapshot = true
	must(r.rig, r.push, must(r.rig, r.decrypt, must(r.rig, r.download, p)))
	r.mirrored()
}

// Whoever may push to the destination may write refs where those of sets belong. None of them stops a set for good.
func TestForeignRefsInSetsFoldersHeal(t *testing.T) {
	t.Parallel()
	future := "at-" + time.Now().AddDate(100, 0, 0).Format("20060102150405") + "00000"
	for name, refs := range map[string][]string{
		"files in place of folders": {"sets", "put"},
		"files further down":        {"sets/refs/heads", "put/heads"},
		"folders in place of refs":  {"put/heads/main/x", "sets/refs/heads/+/at-0/x", "sets/refs/heads/+/object-1/x"},
		"no times, no states":       {"sets/refs/heads/+/" + future, "sets/refs/heads/+/x", "sets/refs/heads/+/state-x", "sets/refs/heads/+/at-", "put/heads/-x"},
		"shadows of nothing":        {"put/heads/none", "put/heads/theirs/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSetPushRig(t, "refs/heads/*", "refs/heads/*")
			r.commitOn("main", random(1000))
			r.produceSet()
			theirs, err := r.destination.Commit(t.Context(), destinationRepo, "theirs", nil, "theirs")
			require.NoError(t, err)
			for _, ref := range refs {
				r.atDestination("update-ref", ownRefs+"/"+ref, theirs)
			}
			r.consumeSet()
			r.mirroredBut("theirs")
			require.Len(t, r.ownRefs(), 4)
		})
	}
}
