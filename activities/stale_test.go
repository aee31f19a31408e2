package activities

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// An operator resets a run that was mended long ago, or all that a query finds. Its plan is of then, and its
// object is still in the chain: the branch does not go back to it, and nobody is accused of a replay.
func TestRunOfAnOldPlan(t *testing.T) {
	t.Parallel()
	for name, signed := range map[string]bool{"signed": true, "unsigned": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if signed {
				r.producer.Signer, r.consumer.Verifier = signingKey(t)
			}
			r.commit(random(20_000))
			r.produce()
			old := r.planPushes().Moves[0]
			r.consume()
			second := r.commit("two")
			r.produce()
			r.consume()
			require.Equal(t, second, r.tip())
			require.Equal(t, old.Commit, r.first(), "it is still in the bucket")

			again := must(r, r.push, must(r, r.decrypt, must(r, r.download, old)))
			require.Equal(t, second, again.Commit)
			require.Equal(t, second, r.tip())
		})
	}
}

// first is the commit of the oldest object of the bucket's chain.
func (r *rig) first() string {
	r.Helper()
	return r.chains()[r.sync.Destination].Objects[0].Commit
}

// onAnotherDisk does something as another worker of a side.
func onAnotherDisk(r *rig, side *Common, do func()) {
	r.Helper()
	own := side.Staging
	side.Staging = r.area()
	do()
	side.Staging = own
}

// A consumer is held up between its steps, and goes on where the branch is no longer, or is again.
func TestPushOfWhatWasDownloadedBefore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(r *rig, first, second string)
		moved     bool // that is, the push is refused
	}{
		"someone else moves the branch, over and over": {meanwhile: func(r *rig, first, _ string) {
			tree, err := r.destination.Git(r.Context(), destinationRepo, "commit-tree", "-p", first, "-m", "by hand", first+"^{tree}")
			require.NoError(r, err)
			r.at(tree)
		}},
		"someone else removes the branch": {meanwhile: func(r *rig, _, _ string) { r.atDestination("update-ref", "-d", r.sync.Destination.Ref()) }},
		"the source moves on": {meanwhile: func(r *rig, _, _ string) {
			r.commit("three")
			r.produce()
		}},
		"the source moves on, and another consumer": {meanwhile: func(r *rig, _, _ string) {
			third := r.commit("three")
			r.produce()
			onAnotherDisk(r, &r.consumer.Common, func() { r.consume() })
			require.Equal(r, third, r.tip())
		}, moved: true},
		"the same, and then the source moves on to where the bucket no longer has that": {meanwhile: func(r *rig, _, _ string) {
			third := r.commit("three")
			r.produce()
			onAnotherDisk(r, &r.consumer.Common, func() { r.consume() })
			r.commit("four")
			r.produce()
			must(r, r.producer.Prune, PruneRequest{})
			for _, key := range r.keys() {
				k, err := object.ParseKey(key)
				require.NoError(r, err)
				require.NotEqual(r, third, k.Commit)
			}
		}, moved: true},
		"the source goes back, and another consumer there and back": {meanwhile: func(r *rig, first, second string) {
			onAnotherDisk(r, &r.consumer.Common, func() { r.consume() })
			require.Equal(r, second, r.tip())
			r.reset(first)
			r.produce()
			onAnotherDisk(r, &r.consumer.Common, func() { r.consume() })
			require.Equal(r, first, r.tip())
		}, moved: true},
	} {
		for _, signed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, signed %t", name, signed), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				if signed {
					r.producer.Signer, r.consumer.Verifier = signingKey(t)
				}
				first := r.commit(random(20_000))
				r.arrives(first)
				second := r.commit("two")
				r.produce()
				decrypted := must(r, r.decrypt, must(r, r.download, r.planPushes().Moves[0]))
				test.meanwhile(r, first, second)
				if test.moved {
					before := r.tip()
					fails(r, KindTipMoved, r.push, decrypted)
					require.Equal(t, before, r.tip())
				} else {
					must(r, r.push, decrypted)
					require.Equal(t, second, r.tip())
				}
			})
		}
	}
}
