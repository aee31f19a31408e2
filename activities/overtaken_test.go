package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// An upload that was planned before another run of this producer has uploaded is left to the next cycle, once the catalog has that. All
// others that it finds in its place are a failure: they may be anybody's.
func TestOvertakenByItsOwnProducer(t *testing.T) {
	t.Parallel()
	for name, overtake := range map[string]func(r *rig){
		"in the catalog": func(r *rig) { r.produce() },
		"not yet in the catalog": func(r *rig) {
			must(r, r.upload, r.encrypted(r.planned()))
		},
		"in the catalog, and altered since": func(r *rig) { r.damage(r.produce()[0].Key) },
		"of another": func(r *rig) {
			key, err := object.ID{Destination: r.sync.Destination, Commit: random(20)}.Key()
			require.NoError(r, err)
			r.put(key, []byte("rival"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.commit(random(20_000))
			r.produce()
			r.commit("two")
			stale := r.encrypted(r.planned())
			r.commit("three")
			overtake(r)
			before := r.bucketKeys()
			if name == "in the catalog" {
				left := must(r, r.upload, stale)
				require.Contains(t, left.Summary, "nothing, left to the next cycle: another upload came first: ")
				require.Empty(t, left.Key)
			} else {
				fails(r, "Overtaken", r.upload, stale)
			}
			require.Equal(t, before, r.bucketKeys())
		})
	}
}
