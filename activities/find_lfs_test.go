package activities

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// askedSource notes what is fetched.
type askedSource struct {
	SourceForge
	fetched []smarthttp.FetchRequest
	// instead is what is asked in the place of what needs no thin pack; nil changes nothing.
	instead func(smarthttp.FetchRequest) smarthttp.FetchRequest
}

func (s *askedSource) FetchPack(ctx context.Context, request smarthttp.FetchRequest) (*smarthttp.PackStream, error) {
	s.fetched = append(s.fetched, request)
	if s.instead != nil && !request.Thin {
		request = s.instead(request)
	}
	return s.SourceForge.FetchPack(ctx, request)
}

// newThinLFSRig has uploaded a file that is almost a pointer, which its next commit makes one: in a thin pack that is a delta
// whose base only the destination has.
func newThinLFSRig(t *testing.T) (*rig, *askedSource, lfs.Object) {
	t.Helper()
	r := newLFSSourceRig(t)
	source := &askedSource{SourceForge: r.producer.Source}
	r.producer.Source = source
	o := r.large("large")
	r.commitLFS("main", map[string]string{"file": "not yet:\n" + gitserver.Pointer(o)})
	require.NotContains(t, r.produce()[0].Summary, "LFS")
	r.commitLFS("main", map[string]string{"file": gitserver.Pointer(o)})
	source.fetched = nil
	return r, source, o
}

// Pointers are found in thin packs, too, for the price of fetching such a pack twice.
func TestLFSPointersInThinPacks(t *testing.T) {
	t.Parallel()
	for name, thin := range map[string]bool{"thin": true, "complete": false} {
		t.Run(name, func(t *testing.T) {
			r, source, o := newThinLFSRig(t)
			r.producer.ThinPacks = thin
			uploaded := r.produce()[0]
			require.NotEmpty(t, uploaded.ID.Base)
			require.Equal(t, lfs.NewList([]lfs.Object{o}), r.listOf(uploaded.Key))
			first := source.fetched[0]
			require.Equal(t, thin, first.Thin)
			if thin {
				require.Len(t, source.fetched, 2)
				require.Equal(t, smarthttp.FetchRequest{Repo: first.Repo, Wants: first.Wants, Haves: first.Haves}, source.fetched[1])
			} else {
				require.Len(t, source.fetched, 1)
			}
			require.NotContains(t, r.stagedNames(), completePack)
		})
	}
}

// Several servers may stand behind one address, of which the second one asked packs less: what the first one has packed counts.
func TestSecondPackHasLess(t *testing.T) {
	t.Parallel()
	r, source, o := newThinLFSRig(t)
	seen := r.large("in the thin pack as it is")
	r.commitLFS("main", map[string]string{"other": gitserver.Pointer(seen)})
	source.instead = func(again smarthttp.FetchRequest) smarthttp.FetchRequest {
		again.Wants = again.Haves
		return again
	}
	p := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	require.Equal(t, FoundLFS{Objects: 1, Size: seen.Size}, must(r, r.findLFS, p))
	source.instead = nil
	require.Equal(t, FoundLFS{Objects: 2, Size: seen.Size + o.Size}, must(r, r.findLFS, p))
}

// A source that goes on while a pack is searched still has what was asked for. One that is rewritten may not have it: the run
// starts over.
func TestSourceMovesWhileLFSIsSearched(t *testing.T) {
	t.Parallel()
	r, _, _ := newThinLFSRig(t)
	p := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	r.commit("goes on")
	require.Equal(t, FoundLFS{Objects: 1, Size: 5}, must(r, r.findLFS, p))
	_, err := r.source.Git(t.Context(), sourceRepo, "update-ref", "refs/heads/main", p.Bundle.Base)
	require.NoError(t, err)
	require.Contains(t, fails(r, KindSourceRewritten, r.findLFS, p), "source platform/router@main: the source was rewritten meanwhile")
}

// What was staged is needed, and a run without it starts over.
func TestFindLFSWithoutStagedFiles(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	r.commit("one")
	p := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	fails(r, KindStagedFileMissing, r.sendLFS, p)
	run, err := r.producer.Staging.Run(p.Staged.Run)
	require.NoError(t, err)
	require.NoError(t, run.Create(fetchedFile, func(f *os.File) error { _, err := f.WriteString("{"); return err }))
	_, err = execute(r, r.findLFS, p)
	require.ErrorContains(t, err, "fetch.json: unexpected EOF")
	require.NoError(t, r.producer.Cleanup(t.Context(), p.Staged))
	fails(r, KindStagedFileMissing, r.findLFS, p)
}

// A set of refs needs what any of its refs needs, and one that has only lost refs needs nothing.
func TestLFSObjectsOfSets(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	r.configureSet(pair("refs/*", "refs/*"))
	one, two, tagged := r.large("one"), r.large("two"), r.large("tagged")
	r.commitLFS("main", nil, one)
	r.commitLFS("second", nil, one, two)
	sha := r.commitLFS("third", nil, tagged)
	git := func(args ...string) {
		_, err := r.source.Git(t.Context(), sourceRepo, args...)
		require.NoError(t, err)
	}
	git("-c", "user.name=t", "-c", "user.email=t@example.com", "tag", "-a", "-m", "v1", "v1", sha)
	git("update-ref", "-d", "refs/heads/third")
	uploaded := must(r, r.upload, must(r, r.encrypt, must(r, r.pack, must(r, r.uploadLFS, must(r, r.clone, r.setUpload())))))
	require.Equal(t, lfs.NewList([]lfs.Object{one, two, tagged}), r.listOf(uploaded.Key))
	require.Len(t, r.heldLFS(), 3)

	git("update-ref", "-d", "refs/heads/second")
	p := must(r, r.clone, r.setUpload())
	require.NotEmpty(t, p.Bundle.Base)
	require.False(t, p.LFS)
	batches := r.source.LFS().Counts().Batches
	uploaded = must(r, r.upload, must(r, r.encrypt, must(r, r.pack, must(r, r.uploadLFS, p))))
	require.Empty(t, r.listOf(uploaded.Key))
	require.Equal(t, batches, r.source.LFS().Counts().Batches)
	require.NotContains(t, uploaded.Summary, "LFS")
}
