package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
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
			old := r.planPushes().Pushes[0]
			r.consume()
			second := r.commit("two")
			r.produce()
			r.consume()
			require.Equal(t, second, r.tip())
			require.Equal(t, old.Commit, r.first(), "it is still in the bucket")

			again := must(r, r.consumer.Push, must(r, r.consumer.Decrypt, must(r, r.consumer.Download, old)))
			require.Equal(t, second, again.Commit)
			require.Equal(t, second, r.tip())
		})
	}
}

// first is the commit of the oldest object of the bucket's chain.
func (r *rig) first() string {
	r.Helper()
	chains, _, err := listChains(r.Context(), r.consumer.Bucket)
	require.NoError(r, err)
	return chains[r.sync.Destination].Objects[0].Commit
}
