package activities

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// askedLFS counts how often the source is asked whether it has LFS, and answers in its place as long as there are answers.
type askedLFS struct {
	LFSSource
	asked   int
	answers []bool
	err     error // in the place of answers
}

func (l *askedLFS) Enabled(ctx context.Context, project string) (bool, error) {
	l.asked++
	if l.err != nil {
		return false, l.err
	}
	if len(l.answers) > 0 {
		answer := l.answers[0]
		l.answers = l.answers[1:]
		return answer, nil
	}
	return l.LFSSource.Enabled(ctx, project)
}

// brokenLooks is a source whose refs cannot be read any more after so many times.
type brokenLooks struct {
	SourceForge
	left int
}

func (b *brokenLooks) Refs(ctx context.Context, project string, names ...string) (map[string]string, error) {
	if b.left--; b.left < 0 {
		return nil, errors.New("the database does not answer")
	}
	return b.SourceForge.Refs(ctx, project, names...)
}

// The source is asked whether it has LFS only for a pack that may need it, and not believed at once that it has none.
func TestSourceIsAskedForLFS(t *testing.T) {
	t.Parallel()
	none := func(*rig) string { return random(1000) }
	large := func(*rig) string { return random(smallPack) }
	pointer := func(r *rig) string { return gitserver.Pointer(r.large("large")) }
	no := []bool{false, false, false}
	for name, tt := range map[string]struct {
		file    func(r *rig) string
		answers []bool
		looks   int  // that the source answers
		held    bool // the bucket has LFS objects of the project
		want    bool
		asked   int
		waits   int
		brief   bool // as nobody knows of pointers
		fails   bool // the LFS server
	}{
		"a small pack without pointers":       {file: none, looks: 1},
		"a large pack":                        {file: large, looks: 1, want: true, asked: 1},
		"a large pack, and no LFS":            {file: large, answers: no, looks: 2, asked: 3, waits: 2, brief: true},
		"a large pack, and one of two":        {file: large, answers: no[:2], looks: 2, want: true, asked: 3, waits: 2, brief: true},
		"a pointer":                           {file: pointer, looks: 1, want: true, asked: 1},
		"a pointer, and no LFS":               {file: pointer, answers: no, looks: 2, asked: 3, waits: 2},
		"a pointer, and no LFS for a while":   {file: pointer, answers: no[:1], looks: 2, want: true, asked: 2, waits: 1},
		"a pointer, and no LFS for longer":    {file: pointer, answers: no[:2], looks: 2, want: true, asked: 3, waits: 2},
		"a pointer, and no LFS any more":      {file: pointer, answers: no[:1], looks: 1, held: true, want: true, asked: 1},
		"a pointer, and a server that breaks": {file: pointer, answers: no, looks: 1, want: true, asked: 1, waits: 1},
		"a pointer, and LFS that fails":       {file: pointer, looks: 1, want: true, asked: 1, fails: true},
		"a large pack, and LFS that fails":    {file: large, looks: 1, want: true, asked: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newLFSSourceRig(t)
			asked := &askedLFS{LFSSource: r.producer.LFS, answers: tt.answers}
			if tt.fails {
				asked.err = errors.New("internal server error")
			}
			r.producer.LFS = asked
			waits := 0
			r.producer.after = func(d time.Duration) <-chan time.Time {
				require.Equal(t, tt.brief, d == lfsSmallDoubt)
				waits++
				return time.After(0)
			}
			if tt.held {
				r.putLFS(r.sync.Destination, 1)
			}
			r.commit(tt.file(r))
			u := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
			r.producer.Source = &brokenLooks{r.producer.Source, tt.looks}
			p := must(r, r.clone, u)
			require.Equal(t, tt.asked, asked.asked)
			require.Equal(t, tt.waits, waits)
			require.Equal(t, tt.want, p.LFS)
			if tt.want {
				require.Contains(t, r.stagedNames(), fetchedFile)
			} else {
				require.NotContains(t, r.stagedNames(), fetchedFile)
			}
		})
	}
}

// A step that is ended does not wait for the source's next answer, and says nothing of LFS.
func TestWaitForLFSEnds(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	asked := &askedLFS{LFSSource: r.producer.LFS, answers: []bool{false}}
	r.producer.LFS = asked
	ctx, cancel := context.WithCancel(t.Context())
	r.producer.after = func(time.Duration) <-chan time.Time {
		cancel()
		return nil
	}
	cloned := Cloned{Staged: Staged{Run: "run"}, Bundle: archive.Bundle{Size: smallPack + 1}} // whose pack cannot be searched
	require.ErrorIs(t, r.producer.prepareFindLFS(ctx, &cloned, r.sync, fetched{}, nil), context.Canceled)
	require.Equal(t, 1, asked.asked)
	require.Empty(t, r.stagedNames())
}

// An LFS server that fails does not keep back what needs no LFS objects, and not a second pack is fetched for what does.
func TestSourceWhoseLFSFails(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus = 403 })
	r.commit(random(smallPack))
	require.Len(t, r.produce(), 1)

	o := r.large("large")
	r.commitLFS("main", nil, o)
	p := r.nextLFS()
	fails(r, "GitForbidden", r.sendLFS, p)
	r.source.LFS().Switch(func(s *gitserver.LFSSwitches) { s.BatchStatus = 0 })
	require.Equal(t, 1, must(r, r.sendLFS, p).SentLFS.Sent)
}

// A thin pack may hide a pointer whose text only the destination has: then it is looked for as in a source of which nothing is known.
func TestSourceIsAskedForLFSOfThinPacks(t *testing.T) {
	t.Parallel()
	r, source, o := newThinLFSRig(t)
	asked := &askedLFS{LFSSource: r.producer.LFS}
	r.producer.LFS = asked
	require.Equal(t, lfs.NewList([]lfs.Object{o}), r.listOf(r.produce()[0].Key))
	require.Equal(t, 1, asked.asked)
	require.Equal(t, []bool{true, false}, thinness(source.fetched))
}

func thinness(requests []smarthttp.FetchRequest) (thin []bool) {
	for _, request := range requests {
		thin = append(thin, request.Thin)
	}
	return thin
}
