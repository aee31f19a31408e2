package activities

import (
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldproducer"
)

// recipient is the key that the consumer's identity decrypts.
func (r *rig) recipient() age.Recipient {
	return r.consumer.Identities[0].(*age.X25519Identity).Recipient()
}

// predecessor uploads what the predecessor's producer would. Keys of its first versions are for branches of one name.
func (r *rig) predecessor(form oldproducer.Form) oldproducer.Object {
	r.Helper()
	if form.BranchKey {
		r.sync.Destination.Branch = r.sync.Source.Branch
		r.configure(r.sync)
	}
	o, err := oldproducer.Make(r.Context(), form, r.source.Dir(sourceRepo), r.sync.Source.Branch, r.sync.Destination, r.recipient())
	require.NoError(r, err)
	r.put(o.Key, o.Body)
	return o
}

// arriveAt runs the consumer's cycle, which brings the destination to the commit, and another one, which finds nothing to do.
func (r *rig) arriveAt(commit string) Pushed {
	r.Helper()
	pushed := r.consume()
	require.Len(r, pushed, 1)
	require.Equal(r, commit, r.tip())
	require.Equal(r, commit, pushed[0].Commit)
	again := r.planPushes()
	require.Empty(r, again.Moves)
	require.Empty(r, again.Failed)
	return pushed[0]
}

var forms = map[string]oldproducer.Form{
	"newest": {}, "plain": {PlainTar: true}, "first": {BranchKey: true}, "first, plain": {BranchKey: true, PlainTar: true},
}

// What the predecessor has uploaded arrives, where that is asked for; then our producer takes over in the same bucket.
func TestPredecessorsObjectsArrive(t *testing.T) {
	t.Parallel()
	for name, form := range forms {
		for size, content := range map[string]string{"small": "one", "large": random(300_000)} {
			t.Run(name+"/"+size, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.consumer.ReadPredecessor = true
				first := r.commit(content)
				old := r.predecessor(form)
				require.Equal(t, first, old.Commit)
				pushed := r.arriveAt(first)
				require.Equal(t, Unverified, pushed.Warning)
				require.Empty(t, r.ownRefs())

				second := r.commit("two")
				snapshot := r.produce()[0]
				require.Empty(t, snapshot.ID.Base, "nothing builds on what the predecessor has made")
				r.arriveAt(second)
				require.Equal(t, []string{old.Key}, must(r, r.producer.Prune, PruneRequest{}).Keys)
				require.Equal(t, []string{snapshot.Key}, r.keys())
				third := r.commit("three")
				require.Equal(t, second, r.produce()[0].ID.Base)
				r.arriveAt(third)
			})
		}
	}
}

// Without being asked, nothing of the predecessor's is read. It is no failure where it would change nothing.
func TestPredecessorsObjectsAreNotRead(t *testing.T) {
	t.Parallel()
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			first := r.commit("one")
			r.predecessor(form)
			kind, text := r.refused()
			require.Equal(t, plan.KindPredecessorObject, kind, text)
			require.Contains(t, text, "READ_PREDECESSOR=true")
			require.Contains(t, text, "The producer replaces it")

			r.atSource("push", "--quiet", r.destination.Dir(destinationRepo), first+":"+r.sync.Destination.Ref())
			page := r.planPushes()
			require.Empty(t, page.Failed)
			require.Empty(t, page.Moves)
			require.Equal(t, 1, page.UpToDate)

			second := r.commit("two")
			require.Empty(t, r.produce()[0].ID.Base)
			r.arriveAt(second)
		})
	}
}

// An idle branch keeps an object whose key looks like one of ours. A consumer that has begun to verify signatures says so, until
// somebody deletes it.
func TestIdleBranchWithUnmarkedObject(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	verifier := r.consumer.Verifier
	r.consumer.Verifier, r.consumer.ReadPredecessor = sign.Unverified(), true
	commit := r.commit("one")
	old := r.predecessor(oldproducer.Form{BranchKey: true})
	r.arriveAt(commit)
	require.Empty(t, r.produce())

	r.consumer.Verifier, r.consumer.ReadPredecessor = verifier, false
	kind, text := r.refused()
	require.Equal(t, plan.KindPredecessorObject, kind, text)
	require.Contains(t, text, old.Key)
	require.Contains(t, text, "after it was deleted")
	require.Empty(t, r.produce())

	require.NoError(t, r.producer.Bucket.Delete(t.Context(), old.Key))
	require.Empty(t, r.produce()[0].ID.Base)
	require.Equal(t, commit, r.arriveAt(commit).Old)
}

// refused is what the consumer says of the one branch that is behind: in its plan, or in the first step that finds out.
func (r *rig) refused() (kind, text string) {
	r.Helper()
	page := r.planPushes()
	if len(page.Failed) > 0 {
		return page.Failed[0].Kind, page.Failed[0].Reason
	}
	require.Len(r, page.Moves, 1)
	downloaded, err := execute(r, r.download, page.Moves[0])
	if err == nil {
		_, err = execute(r, r.decrypt, downloaded)
	}
	var failure *temporal.ApplicationError
	require.ErrorAs(r, err, &failure)
	require.True(r, failure.NonRetryable())
	return failure.Type(), failure.Message()
}

// A push that was cut off after the branch had moved, and is tried again, finds nothing left to do but the note.
func TestPushOfPredecessorsObjectIsRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.consumer.ReadPredecessor = true
	r.commit("one")
	o := r.predecessor(oldproducer.Form{})
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), o.Key))
	lie, err := oldproducer.Form{}.Key(r.sync.Destination, strings.Repeat("1", 40), r.sync.Source.Branch)
	require.NoError(t, err)
	r.put(lie, o.Body)
	d := r.received()
	decrypted := must(r, r.decrypt, d)
	require.Equal(t, decrypted.Bundles, must(r, r.decrypt, d).Bundles, "and so does a second decryption")
	must(r, r.push, decrypted)
	again := must(r, r.push, decrypted)
	require.Equal(t, o.Commit, again.Old)
	require.Equal(t, o.Commit, r.tip())
	require.Len(t, r.ownRefs(), 1)
}
