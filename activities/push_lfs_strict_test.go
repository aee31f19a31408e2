package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

const gitlabsWords = `LFS objects are missing. Ensure LFS is properly set up or try a manual "git lfs push --all".`

// A destination that takes no commits without their LFS objects says no more than that. The error says why it lacks them.
func TestRefusalForLFSIsExplained(t *testing.T) {
	t.Parallel()
	there, gone := lfsObject("there"), lfsObject("gone")
	for name, test := range map[string]struct {
		needed lfs.List
		off    bool
		why    string
	}{
		"missing at the source": {lfs.Union(lfs.NewList([]lfs.Object{there}), missing(gone)), false, "(1 missing at the source: " + gone.OID + ")"},
		"LFS=false here":        {lfs.NewList([]lfs.Object{there}), true, "(LFS=false at this consumer: it sends the commits alone)"},
		"uploaded without":      {nil, false, "(the bucket's objects name no LFS objects: the producer has LFS=false, "},
		"not all listed":        {lfs.NewList([]lfs.Object{there}), false, "(all that the bucket's objects name are there; the destination wants others"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPushLFSRig(t)
			require.NoError(t, r.lfs.RefuseMissing(destinationRepo))
			if test.off {
				r.consumer.LFS = nil
			}
			r.store("there")
			r.commitPointers(there, gone)
			r.produceWith(test.needed)
			d := must(r.rig, r.pushLFS, r.decrypted())
			text := fails(r.rig, "LFSRequired", r.push, d)
			require.Contains(t, text, gitlabsWords)
			require.Contains(t, text, test.why)
			require.Empty(t, r.ownRefs(), "what was sent in vain is removed")
		})
	}
}

// Where LFS is switched on after a refusal, the LFS objects come with the next run, also of a set whose packs the destination
// had taken before it refused refs.
func TestLFSIsSwitchedOnAfterARefusal(t *testing.T) {
	t.Parallel()
	strict := func(refs string) string {
		return `case $1 in ` + refs + `) ;; *) exit 0 ;; esac
for oid in $(git rev-list --objects "$3" | cut -d' ' -f1 | while read -r id; do git cat-file -p "$id" | sed -n 's/^oid sha256://p'; done); do
	find lfs -name "$oid" | grep -q . || { echo 'GitLab: ` + gitlabsWords + `' >&2; exit 1; }
done`
	}
	for name, test := range map[string]struct{ source, destination, hook, kind string }{
		"branch":                     {"main", "stable", strict("*"), "LFSRequired"},
		"set":                        {"refs/heads/*", "refs/heads/*", strict("*"), "LFSRequired"},
		"set, branches alone strict": {"refs/heads/*", "refs/heads/*", strict("refs/heads/*"), "RefsRefused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPushLFSRig(t)
			r.configureSet(pair(test.source, test.destination))
			require.NoError(t, r.destination.Hook(destinationRepo, "update", test.hook))
			objects := r.store("one", "two")
			r.commitPointers(objects...)
			u := plan.Upload{Sync: r.sync}
			if r.sync.Destination.IsSet() {
				u = r.setUpload()
			}
			r.uploadWith(u, lfs.NewList(objects))

			server := r.consumer.LFS
			r.consumer.LFS = nil
			text := fails(r.rig, test.kind, r.push, must(r.rig, r.pushLFS, r.decrypted()))
			require.Contains(t, text, "LFS=false at this consumer")

			r.consumer.LFS = server
			require.Contains(t, r.consume()[0].Summary, "with 2 LFS objects, 6 B")
			r.requireHas(objects, true)
			require.Empty(t, r.planPushes().Moves)
		})
	}
}
