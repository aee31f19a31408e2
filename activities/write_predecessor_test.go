package activities

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldconsumer"
	"github.com/app-sre/git-partition-sync/internal/testserver/oldproducer"
)

// newPredecessorRig has a producer that writes for the predecessor's consumer, a destination's branch of that name, and that consumer.
func newPredecessorRig(t *testing.T, branch string) (*rig, *oldconsumer.Consumer) {
	t.Helper()
	r := newRig(t)
	r.producer.WritePredecessor = true
	r.sync.Destination.Branch = branch
	r.configure(r.sync)
	gitlab, err := url.Parse(r.destination.URL())
	require.NoError(t, err)
	gitlab.User = url.UserPassword("bot", "token-"+destinationRepo)
	return r, &oldconsumer.Consumer{Identity: r.consumer.Identities[0].(*age.X25519Identity), GitLab: gitlab.String()}
}

// bodies are what the bucket has, in the order of its keys.
func (r *rig) bodies() (objects []oldconsumer.Object) {
	r.Helper()
	for o, err := range r.consumer.Bucket.List(r.Context(), "") {
		require.NoError(r, err)
		var body bytes.Buffer
		err = r.consumer.Bucket.Download(r.Context(), o.Key, o.ETag, o.Size, &body)
		require.NoError(r, err)
		objects = append(objects, oldconsumer.Object{Key: o.Key, Modified: o.Modified, Body: body.Bytes()})
	}
	return objects
}

// written runs the producer's cycle, after which the bucket has one object, of the commit and for the predecessor's consumer.
func (r *rig) written(commit string) Uploaded {
	r.Helper()
	uploaded := r.produce()
	require.Len(r, uploaded, 1)
	require.Equal(r, []string{uploaded[0].Key}, r.keys(), "what was there before is gone right after the upload")
	stored, err := object.NewStored(uploaded[0].Key, uploaded[0].Size, time.Time{})
	require.NoError(r, err)
	require.True(r, stored.ByPredecessor())
	require.Equal(r, object.ID{Destination: r.sync.Destination, Commit: commit}, stored.ID)
	require.Equal(r, r.sync.Destination.Branch, stored.SourceBranch)
	require.Empty(r, must(r, r.producer.PlanUploads, PlanRequest{}).Moves, "up to date")
	return uploaded[0]
}

// What we write arrives with the predecessor's consumer, and with ours: first, then what is new, and what was taken back.
func TestWhatIsWrittenForThePredecessorArrives(t *testing.T) {
	t.Parallel()
	for _, branch := range []string{"stable", "release/1.x/hot", "größe"} {
		for _, who := range []string{"theirs", "ours"} {
			t.Run(who+"/"+branch, func(t *testing.T) {
				t.Parallel()
				r, theirs := newPredecessorRig(t, branch)
				r.consumer.ReadPredecessor = true
				arrives := func(commit string) {
					t.Helper()
					if who == "theirs" {
						require.NoError(t, theirs.Cycle(t.Context(), r.bodies()))
					} else {
						r.consume()
					}
					require.Equal(t, commit, r.tip())
					r.atDestination("fsck", "--connectivity-only", "--strict")
					page := r.planPushes()
					require.Empty(t, page.Moves)
					require.Empty(t, page.Failed, "our consumer finds it in sync")
				}
				text := random(200_000)
				first := r.commit(text)
				one := r.written(first)
				require.Contains(t, one.Summary, "snapshot "+plan.Short(first))
				arrives(first)
				second := r.commit(text + "and more")
				r.written(second)
				arrives(second)
				r.reset(first)
				require.Equal(t, one.Key, r.written(first).Key)
				arrives(first)
			})
		}
	}
}

// Stock git takes what is unpacked for a repository without a fault, and its index for its own.
func TestStockGitReadsWhatIsWrittenForThePredecessor(t *testing.T) {
	t.Parallel()
	r, theirs := newPredecessorRig(t, "a/b")
	text := strings.Repeat("a line of text\n", 3000)
	for i := range 20 {
		text = strings.Replace(text, "a line of text\n", random(10+i), 1)
		r.commit(text)
	}
	tip := r.commit("last")
	r.atSource("repack", "-adfq") // so that there are deltas
	r.written(tip)
	dir := t.TempDir()
	require.NoError(t, oldconsumer.Unpack(dir, r.bodies()[0].Body, theirs.Identity))
	git := func(args ...string) string {
		out, err := oldproducer.Git(t.Context(), dir, args...)
		require.NoError(t, err)
		return out
	}
	require.Empty(t, git("fsck", "--full", "--strict"))
	require.Equal(t, tip, git("rev-parse", "HEAD"))
	require.Equal(t, tip+" refs/heads/a/b", git("for-each-ref", "--format=%(objectname) %(refname)"))
	require.Equal(t, "false", git("rev-parse", "--is-bare-repository"))
	packs, err := filepath.Glob(filepath.Join(dir, ".git/objects/pack/*.pack"))
	require.NoError(t, err)
	require.Len(t, packs, 1)
	require.Contains(t, git("verify-pack", "-v", packs[0]), "chain length")
	git("index-pack", "-o", "gits.idx", packs[0])
	want, err := os.ReadFile(filepath.Join(dir, "gits.idx"))
	require.NoError(t, err)
	got, err := os.ReadFile(strings.TrimSuffix(packs[0], ".pack") + ".idx")
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Empty(t, git("remote"), "its consumer adds one")
}

// The setting is turned on in a bucket that has a chain of ours, and turned off again.
func TestForThePredecessorAndBack(t *testing.T) {
	t.Parallel()
	r, theirs := newPredecessorRig(t, "stable")
	r.producer.WritePredecessor = false
	r.commit(random(50_000))
	r.produce()
	r.commit("two")
	planned := must(r, r.encrypt, must(r, r.pack, must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])))
	must(r, r.upload, planned)
	tip := r.commit("three")
	increment := must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0]
	require.NotEmpty(t, increment.Base)
	r.reset(planned.Bundle.Commit)
	require.ErrorContains(t, theirs.Cycle(t.Context(), r.bodies()), "key ", "it stops at ours")

	r.producer.WritePredecessor = true
	require.Empty(t, must(r, r.clone, increment).Bundle.Base, "a run that was planned before is complete, too")
	moves := must(r, r.producer.PlanUploads, PlanRequest{}).Moves
	require.Len(t, moves, 1)
	require.Equal(t, "source is at "+plan.Short(planned.Bundle.Commit)+", the bucket's newest object is not the predecessor's: snapshot for the predecessor", moves[0].Reason)
	r.written(planned.Bundle.Commit)
	require.NoError(t, theirs.Cycle(t.Context(), r.bodies()))
	require.Equal(t, planned.Bundle.Commit, r.tip())

	r.reset(tip)
	r.written(tip)

	r.producer.WritePredecessor = false
	back := r.produce()
	require.Len(t, back, 1)
	require.Empty(t, back[0].ID.Base)
	must(r, r.producer.Prune, PruneRequest{})
	require.Equal(t, []string{back[0].Key}, r.keys())
	r.arriveAt(tip)
}

// What the predecessor's producer has uploaded is as good as ours while the source has not moved.
func TestPredecessorsOwnObjectsAreKeptForIt(t *testing.T) {
	t.Parallel()
	r, theirs := newPredecessorRig(t, "stable")
	r.commit("one")
	old := r.predecessor(oldproducer.Form{})
	require.NoError(t, theirs.Cycle(t.Context(), r.bodies()))
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
	require.Empty(t, must(r, r.producer.Prune, PruneRequest{}).Keys)
	require.Equal(t, []string{old.Key}, r.keys())
	second := r.commit("two")
	r.written(second)
	require.NoError(t, theirs.Cycle(t.Context(), r.bodies()))
	require.Equal(t, second, r.tip())
}

// What the predecessor's consumer would do something else with is refused by its name, in the plan and by a run.
func TestBranchesThatThePredecessorDoesNotTake(t *testing.T) {
	t.Parallel()
	r, _ := newPredecessorRig(t, "a;reboot")
	r.commit("one")
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Empty(t, page.Moves)
	require.Len(t, page.Failed, 1)
	require.Equal(t, plan.KindPredecessorBranch, page.Failed[0].Kind)
	require.Equal(t, 1, page.Checked)
	fails(r, plan.KindPredecessorBranch, r.clone, plan.Upload{Sync: r.sync})

	r.sync.Destination = project.Branch{Group: strings.Repeat("g", 120), Name: strings.Repeat("n", 100), Branch: strings.Repeat("b", 240)}
	r.configure(r.sync)
	require.Equal(t, plan.KindKeyTooLong, must(r, r.producer.PlanUploads, PlanRequest{}).Failed[0].Kind)
	r.producer.WritePredecessor = false
	require.Len(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves, 1, "its keys have the branch once")
}

// While a pack is indexed, or others' packs are, a step shows that it is alive, and ends when it is cancelled.
func TestIndexingIsWatchedAndOneAtATime(t *testing.T) {
	t.Parallel()
	r, _ := newPredecessorRig(t, "stable")
	tip := r.commit("one")
	p := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	run, err := r.producer.Staging.Run(p.Staged.Run)
	require.NoError(t, err)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.producer.packageForPredecessor(cancelled, run, p.Bundle, time.Now()), context.Canceled)

	m := startMeter(t.Context(), 0)
	defer m.stop()
	text, err := io.ReadAll(watched{strings.NewReader("a pack"), t.Context(), m})
	require.NoError(t, err)
	require.EqualValues(t, len(text), m.signsOfLife.Load())

	r.producer.indexing.Lock()
	alive := m.signsOfLife.Load()
	waiting, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	require.ErrorIs(t, r.producer.awaitIndexing(waiting, m), context.DeadlineExceeded)
	require.Greater(t, m.signsOfLife.Load(), alive)

	packaged := make(chan error, 1)
	go func() {
		_, err := r.pack(t.Context(), p)
		packaged <- err
	}()
	select {
	case <-packaged:
		require.Fail(t, "it did not wait for the pack that is being indexed")
	case <-time.After(500 * time.Millisecond):
	}
	r.producer.indexing.Unlock()
	require.NoError(t, <-packaged)
	require.Equal(t, tip, p.Bundle.Commit)
}
