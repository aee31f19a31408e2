package e2e_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// past is what the bucket had, by key.
type past map[string][]byte

// remember copies the bucket.
func (a *attacker) remember() past {
	a.Helper()
	copied := past{}
	for o, err := range a.bucket.List(a.Context(), "") {
		require.NoError(a, err)
		copied[o.Key] = get(a.sides, a.bucket, o.Key)
	}
	return copied
}

// restore makes the bucket what it was. All of it is uploaded anew, the objects in the order of their chains.
func (a *attacker) restore(p past) {
	a.Helper()
	a.delete(append(keys(a.sides, a.bucket), catalog.Key)...)
	objects := a.sortedByChain(p)
	for _, key := range objects {
		a.awaitNextSecond()
		a.put(key, p[key])
	}
	a.put(catalog.Key, p[catalog.Key])
}

// sortedByChain returns the keys of objects, snapshots first: there are no more than an increment on each.
func (a *attacker) sortedByChain(p past) (objects []string) {
	for key := range p {
		if key != catalog.Key {
			objects = append(objects, key)
		}
	}
	slices.SortFunc(objects, func(a, b string) int { return len(a) - len(b) })
	return objects
}

// open reads a catalog, for which the attacker has not even the key.
func (a *attacker) open(encrypted []byte) catalog.Catalog {
	a.Helper()
	environ := a.WorkerEnviron(stack.Consumer)
	i := slices.IndexFunc(environ, func(v string) bool { return strings.HasPrefix(v, "VERIFY_KEYS=") })
	verifier, err := sign.ParseVerifier(strings.TrimPrefix(environ[i], "VERIFY_KEYS="))
	require.NoError(a, err)
	c, err := catalog.Read(bytes.NewReader(encrypted), []age.Identity{a.Identity}, verifier, archive.AnyEnvironment())
	require.NoError(a, err)
	return c
}

// issue makes the catalog of another producer, which would be right in the attacker's eyes.
func (a *attacker) issue(c catalog.Catalog) []byte {
	a.Helper()
	var out bytes.Buffer
	require.NoError(a, catalog.Write(&out, c, []age.Recipient{a.Identity.Recipient()}, a.signer))
	return out.Bytes()
}

// scene is one destination when somebody begins to tamper with the bucket: the destination is at the first commit, and the
// producer has uploaded the second.
type scene struct {
	*attacker
	source, destination string
	first, second       string
	before, after       past // what the bucket had at the first commit, and has now
	// consumed is a cycle of the consumer, in the middle of the attack.
	consumed func() contract.Report
}

func (s scene) newest() string { return victim{sides: s.sides}.keyOf(s.destination, s.second, s.first) }

// withholdings are what somebody can do who writes to the bucket, and can neither sign nor decrypt.
var withholdings = []struct {
	name string
	do   func(s scene)
	// cycle and sync are the kinds of failures of the consumer's cycle, and of the sync; empty for none.
	cycle, sync string
	arrives     bool // the second commit
}{
	{name: "nothing", do: func(scene) {}, arrives: true},
	{name: "the newest object is gone", do: func(s scene) { s.delete(s.newest()) }, sync: "ObjectWithheld"},
	{name: "all objects are gone", do: func(s scene) { s.delete(keys(s.sides, s.bucket)...) }, sync: "ObjectWithheld"},
	{name: "an old object in the place of the newest", sync: "ObjectWithheld", do: func(s scene) {
		s.delete(keys(s.sides, s.bucket)...)
		s.awaitNextSecond()
		for _, key := range s.sortedByChain(s.before) {
			s.put(key, s.before[key])
		}
	}},
	{name: "old objects and the new catalog", sync: "ObjectWithheld", do: func(s scene) {
		mixed := past{catalog.Key: s.after[catalog.Key]}
		for _, key := range s.sortedByChain(s.before) {
			mixed[key] = s.before[key]
		}
		s.restore(mixed)
	}},
	{name: "new objects and an old catalog", cycle: "CatalogReplayed", arrives: true, do: func(s scene) {
		s.delete(s.newest())
		require.Equal(s, "ObjectWithheld", s.consumed().Failed[0].Kind)
		s.put(s.newest(), s.after[s.newest()])
		s.put(catalog.Key, s.before[catalog.Key])
	}},
	{name: "a frozen bucket", cycle: "CatalogReplayed", sync: "Replayed", arrives: true, do: func(s scene) {
		require.Empty(s, s.consumed().Failed)
		s.restore(s.before)
	}},
	{name: "no catalog", cycle: "CatalogMissing", arrives: true, do: func(s scene) { s.delete(catalog.Key) }},
	{name: "no age file for a catalog", cycle: "CatalogInvalid", arrives: true, do: func(s scene) { s.put(catalog.Key, []byte("none")) }},
	{name: "an altered catalog", cycle: "CatalogInvalid", arrives: true, do: func(s scene) {
		altered := bytes.Clone(s.after[catalog.Key])
		altered[len(altered)-1] ^= 1
		s.put(catalog.Key, altered)
	}},
	{name: "the catalog of another producer", cycle: "CatalogInvalid", arrives: true, do: func(s scene) {
		forged := s.open(s.after[catalog.Key])
		forged.Sequence += 1 << 40
		s.put(catalog.Key, s.issue(forged))
	}},
	{name: "an object for a catalog", cycle: "CatalogInvalid", arrives: true, do: func(s scene) { s.put(catalog.Key, s.after[s.newest()]) }},
}

// Somebody keeps back what the producer has uploaded, puts back what was there before, or does the same with the catalog that
// would tell. The consumer says so and goes on with what is verifiable, and the producer puts all of it right.
func TestWithholdingIsNoticed(test *testing.T) {
	test.Parallel()
	t := begin(test)
	a := newAttacker(t)
	s := scene{attacker: a, source: "withheld/app@main", destination: "mirror/withheld/app@main"}
	configure(t, [2]string{s.source, s.destination})
	create(t, t.Destination, branch(s.destination).Path())
	commit(t, s.source)
	cycle(t, stack.Producer)
	consumer := schedule(t, stack.Consumer, "24h")
	awaitCycles(t, consumer, 1)
	s.consumed = func() contract.Report { return triggered(t, stack.Consumer, consumer) }

	for _, w := range withholdings {
		t.Log(w.name)
		emptyBucket(t) // so that there is no more than a snapshot and an increment
		s.first = commit(t, s.source)
		cycle(t, stack.Producer)
		require.Empty(t, s.consumed().Failed, w.name)
		s.before = a.remember()
		s.second = commit(t, s.source)
		cycle(t, stack.Producer)
		s.after = a.remember()
		require.Len(t, s.after, 3, "a snapshot, an increment and the catalog")

		w.do(s)
		report := s.consumed()
		require.Equal(t, w.cycle, kindOf(report, "catalog"), "%s: %v", w.name, report.Failed)
		require.Equal(t, w.sync, kindOf(report, s.destination), "%s: %v", w.name, report.Failed)
		want := map[bool]string{true: s.second, false: s.first}[w.arrives]
		require.Equal(t, want, arrived(t, s.destination), w.name)

		cycle(t, stack.Producer)
		cycle(t, stack.Producer)
		require.Empty(t, s.consumed().Failed, w.name)
		require.Equal(t, s.second, arrived(t, s.destination), w.name)
	}
}

// triggered is the report of a cycle of a side's schedule, which is started now.
func triggered(t sides, role stack.Role, h client.ScheduleHandle) (report contract.Report) {
	t.Helper()
	before, err := h.Describe(t.Context())
	require.NoError(t, err)
	starter(t, role, "schedule", "trigger")
	awaitCycles(t, h, before.Info.NumActions+1)
	now, err := h.Describe(t.Context())
	require.NoError(t, err)
	last := now.Info.RecentActions[len(now.Info.RecentActions)-1].StartWorkflowResult
	err = t.Temporal.Clients[role].GetWorkflow(t.Context(), last.WorkflowID, last.FirstExecutionRunID).Get(t.Context(), &report)
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		err = failed.Details(&report)
	}
	require.NoError(t, err)
	return report
}

// kindOf is that of the only failure of a subject; empty if there is none.
func kindOf(report contract.Report, subject string) (kind string) {
	for _, failure := range report.Failed {
		if failure.Subject == subject {
			kind += failure.Kind
		}
	}
	return kind
}

// A producer that has stopped does not go unnoticed, and what it has uploaded before arrives.
func TestStoppedProducerIsNoticed(test *testing.T) {
	test.Parallel()
	t := begin(test)
	restarted(t, stack.Producer, "CATALOG_INTERVAL=1s")
	restarted(t, stack.Consumer, "CATALOG_MAX_AGE=20s")
	source, destination, _ := upload(t, "stopped")
	cycle(t, stack.Consumer)
	sha := commit(t, source)
	cycle(t, stack.Producer)
	time.Sleep(21 * time.Second)
	out := failingCycle(t, stack.Consumer)
	require.Contains(t, out, "CatalogStale")
	require.Contains(t, out, "1 synced")
	require.Equal(t, sha, arrived(t, destination))

	cycle(t, stack.Producer) // nothing has moved, and it says so
	out = cycle(t, stack.Consumer)
	require.Contains(t, out, "1 up to date")
}

// An object that somebody puts back of a sync that has left the configuration is not pushed: the producer does not speak of it.
func TestObjectOfARemovedSyncIsNotPushed(test *testing.T) {
	test.Parallel()
	t := begin(test)
	a := newAttacker(t)
	_, destination, sha := upload(t, "removed")
	cycle(t, stack.Consumer)
	a.keep()
	configure(t, [2]string{"attack/evil@main", "mirror/removed/other@main"})
	create(t, t.Destination, "mirror/removed/other")
	a.delete(keys(t, t.bucket)...)
	cycle(t, stack.Producer)
	_, err := t.Destination.Git(t.Context(), branch(destination).Path(), "update-ref", "-d", "refs/heads/main")
	require.NoError(t, err)
	for key, object := range a.kept {
		a.put(key, object)
	}
	require.Equal(t, sha, chainsOf(t, t.bucket)[branch(destination)].Tip())
	out := cycle(t, stack.Consumer)
	require.Contains(t, out, "not in the producer's catalog")
	require.Empty(t, arrived(t, destination))
}
