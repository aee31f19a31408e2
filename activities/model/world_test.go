package model

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// keys are those of both sides. They are made once: nothing depends on which they are.
type keys struct {
	identity age.Identity
	public   age.Recipient
	signer   sign.Signer
	verifier sign.Verifier
}

func newKeys(t testing.TB) keys {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	secret, public, err := sign.Generate()
	require.NoError(t, err)
	signer, err := sign.ParseSigner(secret)
	require.NoError(t, err)
	verifier, err := sign.ParseVerifier(public)
	require.NoError(t, err)
	return keys{id, id.Recipient(), signer, verifier}
}

// settings are what differs between schedules.
type settings struct {
	// unsigned is a pair without keys for signatures.
	unsigned bool
	// ahead are the clocks of the two workers of each side, and storeAhead the bucket's.
	ahead      [2]time.Duration
	storeAhead time.Duration
	// second is what is synced besides the branch a: another branch, or a set.
	second string
	// lagging is whose listings may be old ones: of an activity, or of all whose names begin so. It is empty for nobody's.
	lagging string
	// hostile is a bucket to which somebody else writes, too, who has no keys.
	hostile bool
	// pageSize is how many keys a page of a listing has.
	pageSize int
}

// lagsFor tells whether a request is for a listing that may be an old one.
func (s settings) lagsFor(r *request) bool {
	return s.lagging != "" && strings.HasPrefix(r.what, "LIST") && (strings.Contains(r.name, ": "+s.lagging) || strings.HasPrefix(r.name, s.lagging))
}

// world is a source, two workers of each side with the bucket between them, a destination, and the two sides' Temporal.
type world struct {
	schedule
	ctx context.Context

	settings settings
	keys     keys
	universe universe
	source   *repository
	store    *store
	bucket   *bucket.Bucket
	target   *repository
	syncs    []project.Sync
	folder   string
	temporal temporal
	judge    judge

	commits, cycles int
	was             map[string][]string // the commits of each ref of the source
	flows           sync.WaitGroup
	remembered      plan.CatalogSeen // by the consumer
	opened          []*staging.Area  // the folders of runs
	hurry           chan struct{}    // closed when cycles no longer wait for their runs
}

// syncOf is the sync of a branch or set, which has the same name on both sides.
func syncOf(branch string) project.Sync {
	return project.Sync{
		Source:      project.Branch{Group: "platform", Name: "router", Branch: branch},
		Destination: project.Branch{Group: "mirror", Name: "router", Branch: branch},
	}
}

func newWorld(k keys, folder string, s settings) *world {
	w := &world{ctx: context.Background(), settings: s, keys: k, universe: universe{}, store: newStore(s.storeAhead, s.pageSize), folder: folder, hurry: make(chan struct{}), was: map[string][]string{}}
	w.source, w.target = newRepository(w.universe), newRepository(w.universe)
	w.bucket = openBucket(w.ctx, &w.schedule, w.store)
	w.temporal = temporal{running: map[project.Branch]bool{}, ends: map[string]lastEvent{}}
	w.syncs = []project.Sync{syncOf("a"), syncOf(s.second)}
	w.judge = newJudge(w)
	w.target.pushed, w.store.changed = w.judge.pushed, w.judge.changed
	return w
}

// close ends all workers, and waits until they are gone.
func (w *world) close() {
	w.end()
	w.stopWaiting()
	w.flows.Wait()
	for _, area := range w.opened {
		area.Close()
	}
	_ = os.RemoveAll(w.folder)
}

// stopWaiting has the cycles that have begun go on without their runs.
func (w *world) stopWaiting() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.hurry)
	w.hurry = make(chan struct{})
}

// openAreas are the folders of a run's own, one on each worker.
func (w *world) openAreas() (areas [2]*staging.Area) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range areas {
		area, err := staging.Open(w.ctx, filepath.Join(w.folder, fmt.Sprint(len(w.opened))), slog.New(slog.DiscardHandler))
		if err != nil {
			panic(err) // nobody could go on
		}
		areas[i], w.opened = area, append(w.opened, area)
	}
	return areas
}

// clock is a worker's.
func (w *world) clock(worker int) func() time.Time {
	return func() time.Time { return time.Now().Add(w.settings.ahead[worker]) }
}

// common is what the activities of both sides have.
func (w *world) common(worker int) activities.Common {
	return activities.Common{
		Bucket: w.bucket, Host: "host", Clock: w.clock(worker), LastRuns: activities.LastRuns{Executions: &w.temporal, ID: project.Branch.String},
	}
}

func (w *world) producer(worker int) *activities.Producer {
	p := &activities.Producer{
		Common: w.common(worker), Syncs: listed(w.syncs), Source: newForge(&w.schedule, w.source), ThinPacks: true,
		Recipients: []age.Recipient{w.keys.public}, Signer: w.keys.signer, Retention: plan.Retention{MaxShare: 0.5}, Version: "model", CatalogInterval: time.Hour,
	}
	if w.settings.unsigned {
		p.Signer = sign.Unsigned()
	}
	return p
}

func (w *world) consumer(worker int) *activities.Consumer {
	c := &activities.Consumer{
		Common: w.common(worker), Destination: newForge(&w.schedule, w.target), Identities: []age.Identity{w.keys.identity},
		Verifier: w.keys.verifier, Environment: archive.AnyEnvironment(), Allow: project.AllowAll(),
		DeleteRefs: true, MaxDeletedShare: 1,
	}
	c.LastRuns = activities.LastRuns{}
	if w.settings.unsigned {
		c.Verifier = sign.Unverified()
	}
	return c
}

// commit has a ref of the source move on by some bytes.
func (w *world) commit(ref string, size int) {
	w.commits++
	w.moveSource(ref, w.universe.commit(w.source.refs[ref], fmt.Sprint(w.commits), size))
}

// moveSource moves a source; to nothing deletes it.
func (w *world) moveSource(ref, to string) {
	w.source.set(ref, to)
	if to != "" && !slices.Contains(w.was[ref], to) {
		w.was[ref] = append(w.was[ref], to)
	}
	w.judge.sourceMoved(w.source.refs)
}

// values are all commits that a ref of the source was ever at, in their order.
func (w *world) values(ref string) []string { return w.was[ref] }
