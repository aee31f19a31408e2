package activities

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// damage flips a bit in the middle of an object.
func (r *rig) damage(key string) {
	r.Helper()
	content := r.content(key)
	content[len(content)/2] ^= 1
	r.put(key, content)
}

func ageIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return id
}

// What somebody else has done to the bucket, and what was made with other keys or by another clock, is put right without a person: a
// destination that has nothing of it gets the branch, and then nothing more is due. In all of these the source stands still.
func TestBucketHeals(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(r *rig, first, second Uploaded){
		"altered":         func(r *rig, _, second Uploaded) { r.damage(second.Key) },
		"base is altered": func(r *rig, first, _ Uploaded) { r.damage(first.Key) },
		"touched":         func(r *rig, first, _ Uploaded) { r.put(first.Key, r.content(first.Key)) },
		"deleted":         func(r *rig, _, second Uploaded) { require.NoError(r, r.direct().Delete(r.Context(), second.Key)) },
		"base is deleted": func(r *rig, first, _ Uploaded) { require.NoError(r, r.direct().Delete(r.Context(), first.Key)) },
		"all is deleted":  func(r *rig, _, _ Uploaded) { require.NoError(r, r.direct().Delete(r.Context(), r.keys()...)) },
		"a forged object is newer": func(r *rig, first, _ Uploaded) {
			awaitNextSecond()
			id := first.ID
			id.Commit = strings.Repeat("f", 40)
			key, err := id.Key()
			require.NoError(r, err)
			r.put(key, r.content(first.Key))
		},
		"a forged object of the same commit": func(r *rig, first, second Uploaded) {
			awaitNextSecond()
			id := second.ID
			id.Base = ""
			key, err := id.Key()
			require.NoError(r, err)
			r.put(key, r.content(first.Key))
		},
		"the catalog is altered":    func(r *rig, _, _ Uploaded) { r.damage(catalog.Key) },
		"the catalog is empty":      func(r *rig, _, _ Uploaded) { r.put(catalog.Key, nil) },
		"the catalog is no catalog": func(r *rig, first, _ Uploaded) { r.put(catalog.Key, r.content(first.Key)) },
		"the signing key is new":    func(r *rig, _, _ Uploaded) { r.producer.Signer, r.consumer.Verifier = signingKey(r.T) },
		"the public key is new": func(r *rig, _, _ Uploaded) {
			id := ageIdentity(r.T)
			r.producer.Recipients, r.consumer.Identities = []age.Recipient{id.Recipient()}, []age.Identity{id}
		},
		"the environment is new": func(r *rig, _, _ Uploaded) {
			environment, err := archive.ParseEnvironment("production")
			require.NoError(r, err)
			r.producer.Environment, r.consumer.Environment = "production", environment
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.commit(random(20_000))
			first := r.produce()[0]
			tip := r.commit("two")
			second := r.produce()[0]
			require.Equal(t, first.ID.Commit, second.ID.Base)
			require.Empty(t, r.produce(), "nothing is due before")
			harm(r, first, second)
			for range 2 {
				r.produce()
			}
			require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
			r.consume()
			require.Equal(t, tip, r.tip())
			newest := r.entry()
			require.Equal(t, r.producer.keysFingerprint(), newest.Object.Keys)

			third := r.commit("three")
			r.produce()
			r.consume()
			require.Equal(t, third, r.tip())
		})
	}
}

// Objects that were made with a wrong key are replaced once it is right, also those that were built on, and the plan says why.
func TestWrongPublicKeyHeals(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	right := r.producer.Recipients
	r.producer.Recipients = []age.Recipient{ageIdentity(t).Recipient()}
	r.commit(random(20_000))
	r.produce()
	tip := r.commit("two")
	r.produce()
	fails(r, "WrongKey", r.decrypt, r.received())
	r.producer.Recipients = right
	require.Equal(t, "source is at "+plan.Short(tip)+", but its objects were made with other keys: snapshot", r.planned().Reason)
	r.produce()
	r.consume()
	require.Equal(t, tip, r.tip())
	require.Empty(t, r.produce())
}

// A clock that has stepped back makes no object that the consumer takes for an old one, also on a branch that moves once and then no more.
func TestClockThatSteppedBack(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	before := r.produce()[0]
	r.consume()
	r.producer.Clock = func() time.Time { return time.Now().AddDate(0, 0, -2) }
	tip := r.commit("two")
	after := r.produce()[0]
	require.True(t, after.CreatedAt.After(before.CreatedAt))
	r.consume()
	require.Equal(t, tip, r.tip())
	require.Empty(t, r.produce(), "nothing has to be healed")
	require.Equal(t, tip, r.entry().State, "and what is seen is told")
	require.Greater(t, r.catalogThere().Sequence, before.CreatedAt.UnixMilli())

	// One that was days ahead, and is right again: consumers have refused what it has made.
	r.producer.Clock = func() time.Time { return time.Now().AddDate(0, 0, 3) }
	tip = r.commit("three")
	r.produce()
	fails(r, "FutureObject", r.decrypt, r.received())
	r.producer.Clock = time.Now
	require.Equal(t, "source is at "+plan.Short(tip)+", but its object says that it was made in the future: snapshot", r.planned().Reason)
	r.produce()
	r.consume()
	require.Equal(t, tip, r.tip())
	require.Empty(t, r.produce())

	// Less than a day ahead they take it, and what follows has to be later.
	r.producer.Clock = func() time.Time { return time.Now().Add(23*time.Hour + 30*time.Minute) }
	r.commit("four")
	r.produce()
	r.consume()
	r.producer.Clock = time.Now
	require.NoError(t, r.direct().Delete(t.Context(), r.keys()...))
	tip = r.commit("five")
	r.produce()
	r.consume()
	require.Equal(t, tip, r.tip())
	require.Empty(t, r.produce())
}

// What a run has put there that has not ended is left alone; of one that was ended by hand, nobody knows, and a snapshot takes its place.
func TestKilledUpload(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	must(r, r.upload, r.encrypted(r.planned()))
	set := func(end lastEvent) {
		r.runs.mu.Lock()
		defer r.runs.mu.Unlock()
		r.runs.ends[r.sync.Destination.String()] = end
	}
	set(lastEvent{})
	require.Empty(t, r.produce(), "it is at work still")
	set(lastEvent{event: &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{}}})
	require.Equal(t, "source is at "+plan.Short(tip)+", but the object in the bucket is not the one that was uploaded: snapshot", r.planned().Reason)
	require.Len(t, r.produce(), 1)
	require.Empty(t, r.produce())
	require.Nil(t, r.entry().Failure)
	r.consume()
	require.Equal(t, tip, r.tip())
}

// A bucket of before there were catalogs is taken as it is, and only what is newer has to be known.
func TestFirstCatalogAdopts(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	require.NoError(t, r.direct().Delete(t.Context(), catalog.Key))
	r.runs.ends = runEnds{r.sync.Destination.String(): {err: serviceerror.NewNotFound("no such workflow")}}
	now := time.Now()
	r.lag.alter = func(resp *http.Response) {
		if resp.Request.Method == http.MethodHead && strings.Trim(resp.Request.URL.Path, "/") == r.s3.Name {
			resp.Header.Set("Date", now.Add(adoptionAge+time.Minute).UTC().Format(http.TimeFormat))
		}
	}
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
	adopted := r.entry().Object
	require.NotEmpty(t, adopted.Chain)
	require.Empty(t, adopted.ManifestSHA256+adopted.Keys)
	r.lag.alter = nil
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)

	require.NoError(t, r.direct().Delete(t.Context(), catalog.Key))
	require.Len(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves, 1, "too young")
	require.Nil(t, r.entry().Object)
	require.Len(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves, 1, "and it is not taken later either")
}

// Workers that plan at the same time lose nothing of each other's.
func TestCatalogOfTwoWorkers(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	r.produce()
	begin := r.catalogThere().Sequence
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 5 {
				page, err := perform(r.producer.PlanUploads, PlanRequest{})
				if err != nil || len(page.Failed) > 0 {
					t.Error(err, page.Failed)
				}
			}
		})
	}
	workers.Wait()
	require.Equal(t, tip, r.entry().State)
	require.NotNil(t, r.entry().Object)
	require.GreaterOrEqual(t, r.catalogThere().Sequence, begin+20)
}

// A worker that was held up between the catalog that it has read and its own does not set back what others have written since.
func TestCatalogOfAWorkerThatWasHeldUp(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	syncs, err := r.producer.listSyncs(t.Context())
	require.NoError(t, err)
	held, err := r.producer.openLedger(t.Context(), syncs)
	require.NoError(t, err)
	awaitNextSecond()
	tip := r.commit("two")
	uploaded := r.produce()[0]
	require.NoError(t, held.save(t.Context(), 0, func(d *catalogDraft) {
		d.see([]plan.Look{{Destination: r.sync.Destination, Head: plan.Head{Commit: strings.Repeat("a", 40)}}}, held.began)
	}))
	require.Equal(t, tip, r.entry().State)
	id, _ := r.entry().ObjectID()
	require.Equal(t, uploaded.ID, id)
	require.Empty(t, r.produce())
}

// That the catalog cannot be written is one failure of the cycle, and stops nothing.
func TestCatalogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	r.lag.alter = func(resp *http.Response) {
		if resp.Request.Method == http.MethodPut && strings.HasSuffix(resp.Request.URL.Path, "/"+catalog.Key) {
			resp.StatusCode = http.StatusForbidden
			resp.Body = io.NopCloser(strings.NewReader("<Error><Code>AccessDenied</Code></Error>"))
			resp.ContentLength = -1
			resp.Header.Del("Content-Length")
		}
	}
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Len(t, page.Failed, 1)
	require.Equal(t, "CatalogNotWritten", page.Failed[0].Kind)
	require.Contains(t, page.Failed[0].Reason, "access denied")
	require.Contains(t, page.Failed[0].Reason, "\nLet the producer's credentials")
	must(r, r.upload, r.encrypted(page.Moves[0]))
	_, err := r.activities.ExecuteActivity(r.producer.Publish)
	require.ErrorContains(t, err, "CatalogNotWritten")
	r.consume()
	require.Equal(t, tip, r.tip())
}
