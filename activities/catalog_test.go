package activities

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// catalogThere is the bucket's catalog as the consumer reads it.
func (r *rig) catalogThere() catalog.Catalog {
	r.Helper()
	object := r.consumer.Bucket.OpenStart(r.Context(), catalog.Key, catalog.MaxSize)
	defer object.Close()
	content, err := io.ReadAll(object)
	require.NoError(r, err)
	c, err := catalog.Read(bytes.NewReader(content), r.consumer.Identities, r.consumer.Verifier, archive.AnyEnvironment())
	require.NoError(r, err)
	return c
}

// entry is what the catalog has of the rig's sync.
func (r *rig) entry() catalog.Sync {
	r.Helper()
	c := r.catalogThere()
	s, ok := c.Sync(r.sync.Destination)
	require.True(r, ok)
	return s
}

// requests counts what the producer asks the bucket for the catalog.
func (r *rig) catalogRequests() (gets, puts *atomic.Int64) {
	gets, puts = &atomic.Int64{}, &atomic.Int64{}
	r.lag.before = func(req *http.Request) {
		switch {
		case !strings.HasSuffix(req.URL.Path, "/"+catalog.Key):
		case req.Method == http.MethodPut:
			puts.Add(1)
		default:
			gets.Add(1)
		}
	}
	return gets, puts
}

// After each plan the catalog says what was seen of each sync, and which objects are known.
func TestCatalogIsWritten(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	first := r.commit(random(20_000))
	began := time.Now()
	r.producer.Environment = "production"
	uploaded := r.produce()[0]
	c := r.catalogThere()
	require.Equal(t, "production", c.Environment)
	require.Equal(t, "test", c.CreatedBy)
	require.WithinRange(t, c.CreatedAt, began, time.Now())
	s := r.entry()
	require.Equal(t, r.sync.Destination, s.Destination)
	require.Equal(t, first, s.State)
	require.WithinRange(t, s.SeenAt, began, time.Now())
	require.Equal(t, s.SeenAt, s.MovedAt)
	require.Nil(t, s.Failure)

	require.Equal(t, &catalog.Object{
		Commit: first, Size: uploaded.Size, Modified: s.Object.Modified, MadeAt: uploaded.CreatedAt, ManifestSHA256: uploaded.ManifestSHA256,
		Chain: s.Object.Chain, Keys: r.producer.keysFingerprint(),
	}, s.Object)
	require.Equal(t, uploaded.Modified.Unix(), s.Object.Modified.Unix())

	require.Empty(t, r.produce())
	next := r.catalogThere()
	require.Greater(t, next.Sequence, c.Sequence)
	moved := s.MovedAt
	s = r.entry()
	require.Equal(t, moved, s.MovedAt, "it has not moved since")
	require.True(t, s.SeenAt.After(moved))

	second := r.commit("two")
	increment := r.produce()[0]
	s = r.entry()
	require.Equal(t, second, s.State)
	id, _ := s.ObjectID()
	require.Equal(t, increment.ID, id)
	require.True(t, s.MovedAt.After(moved))
}

// Without a key there is nobody to say it, and for the predecessor's consumer nobody to listen; a dry run writes nothing.
func TestNoCatalog(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rig, *PlanRequest){
		"unsigned":        func(r *rig, _ *PlanRequest) { r.producer.Signer = newRig(r.T).producer.Signer },
		"for predecessor": func(r *rig, _ *PlanRequest) { r.producer.WritePredecessor = true },
		"dry run":         func(_ *rig, request *PlanRequest) { request.Detail = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.commit("one")
			var request PlanRequest
			change(r, &request)
			must(r, r.producer.PlanUploads, request)
			_, err := r.direct().Stat(t.Context(), catalog.Key)
			require.ErrorIs(t, err, bucket.ErrNotFound)
		})
	}
}

// A cycle in which nothing moves costs one request for the catalog and one to write it, and no more than one of these in an interval.
func TestCatalogOfIdleCycles(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	r.produce()
	gets, puts := r.catalogRequests()
	r.produce()
	require.EqualValues(t, 1, gets.Load())
	require.EqualValues(t, 1, puts.Load())
	r.producer.CatalogInterval = time.Minute
	r.produce() // the interval is new
	gets.Store(0)
	puts.Store(0)
	for range 3 {
		r.produce()
	}
	require.EqualValues(t, 3, gets.Load())
	require.Zero(t, puts.Load())
	r.producer.Clock = func() time.Time { return time.Now().Add(time.Minute) }
	r.produce()
	require.EqualValues(t, 1, puts.Load())
	r.commit("two")
	r.produce()
	require.EqualValues(t, 3, puts.Load(), "what moves is told at once, and what was uploaded")
}

// What a run has uploaded or how it has failed is told without another look at the source, and by the next plan if nothing else tells it.
func TestPublish(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.planned()
	require.Nil(t, r.entry().Object)
	began := time.Now().Add(-time.Second)
	r.ended(r.sync.Destination, Uploaded{}, temporal.NewApplicationError("no room", "DiskFull"))
	r.publish()
	failure := r.entry().Failure
	require.Equal(t, "DiskFull", failure.Kind)
	require.WithinRange(t, failure.Since, began, time.Now())
	r.publish()
	u := r.planned()
	require.Equal(t, failure, r.entry().Failure, "it has to move still, and this is how the last run ended")

	seen := r.entry().SeenAt
	uploaded := must(r, r.upload, r.encrypted(u))
	r.publish()
	s := r.entry()
	id, _ := s.ObjectID()
	require.Equal(t, uploaded.ID, id)
	require.Nil(t, s.Failure)
	require.Equal(t, seen, s.SeenAt)

	r.commit("two")
	uploaded = must(r, r.upload, r.encrypted(r.planned()))
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
	id, _ = r.entry().ObjectID()
	require.Equal(t, uploaded.ID, id, "the plan has asked")
}

// What fails is told with its kind, and since when; what is not configured is not told.
func TestCatalogTellsFailures(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	missing := project.Sync{Source: project.Branch{Group: "platform", Name: "router", Branch: "gone"}, Destination: project.Branch{Group: "mirror", Name: "a", Branch: "gone"}}
	hidden := project.Sync{Source: project.Branch{Group: "platform", Name: "hidden", Branch: "main"}, Destination: project.Branch{Group: "mirror", Name: "b", Branch: "main"}}
	twice := project.Sync{Source: r.sync.Source, Destination: project.Branch{Group: "mirror", Name: "c", Branch: "main"}}
	invalid := project.Sync{Source: r.sync.Source, Destination: project.Branch{Group: "mirror", Name: "c", Branch: ".."}}
	r.producer.Syncs = &listed{syncs: []project.Sync{r.sync, missing, hidden, twice, twice, invalid}}
	must(r, r.producer.PlanUploads, PlanRequest{})
	kinds := func() map[string]string {
		found := map[string]string{}
		for _, s := range r.catalogThere().Syncs {
			found[s.Destination.String()] = ""
			if s.Failure != nil {
				found[s.Destination.String()] = s.Failure.Kind
			}
		}
		return found
	}
	require.Equal(t, map[string]string{
		r.sync.Destination.String(): "", "mirror/a@gone": plan.KindBranchNotFound, "mirror/b@main": "ProjectNotFound", "mirror/c@main": plan.KindDuplicateDestination,
	}, kinds())
	since := func() time.Time {
		c := r.catalogThere()
		s, _ := c.Sync(hidden.Destination)
		return s.Failure.Since
	}
	began := since()
	must(r, r.producer.PlanUploads, PlanRequest{})
	require.Equal(t, began, since())

	r.producer.Syncs = &listed{syncs: []project.Sync{r.sync, twice}}
	must(r, r.producer.PlanUploads, PlanRequest{})
	require.Equal(t, map[string]string{r.sync.Destination.String(): "", "mirror/c@main": ""}, kinds())
}
