package activities

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// An attempt at Clone that Temporal has given up goes on beside the next one, on the same worker, and its files take the place of
// those of the next. They do not get into an object that says that it has something else.
func TestFilesOfAnotherClone(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	p := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	run, err := r.producer.Staging.Run(p.Staged.Run)
	require.NoError(t, err)
	bundle, err := stagedText(run, bundleFile)
	require.NoError(t, err)
	bundle[len(bundle)-1] ^= 1 // as large
	require.NoError(t, run.Create(bundleFile, func(f *os.File) error {
		_, err := f.Write(bundle)
		return err
	}))
	fails(r, KindStagedFileMissing, r.pack, p)
}

// Nor do the refs of another state.
func TestRefsOfAnotherClone(t *testing.T) {
	t.Parallel()
	r := newSetRig(t, "refs/*", "refs/*")
	tip := r.commitOn("main", "one")
	first := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	r.atSource("update-ref", "refs/tags/v1", tip)
	must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	fails(r, KindStagedFileMissing, r.pack, first)
}
