package activities

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// What a consumer makes of the catalog itself. Whatever it finds, syncs go on.
func TestCatalogsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	r.produce()
	now := time.Now()
	r.consumer.Clock = func() time.Time { return now }
	at := func(made time.Time, sequence int64) catalog.Catalog {
		c := r.catalog()
		c.CreatedAt, c.Sequence = made.UTC(), made.UnixMilli()+sequence
		return c
	}
	current := at(now, 5)
	remembered := plan.CatalogSeen{Sequence: current.Sequence, CreatedAt: current.CreatedAt}
	foreign, _ := signingKey(t)
	stranger, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	made := func(recipients []age.Recipient, signer sign.Signer) []byte {
		var body bytes.Buffer
		require.NoError(t, catalog.Write(&body, current, recipients, signer))
		return body.Bytes()
	}
	own := r.encoded(current)
	for name, tt := range map[string]struct {
		body  []byte
		last  plan.CatalogSeen
		kinds []string
		says  string
		newer bool // it is remembered in the place of the last one
	}{
		"the first one":               {own, plan.CatalogSeen{}, nil, "", true},
		"the same one":                {own, remembered, nil, "", true},
		"a later one":                 {own, plan.CatalogSeen{Sequence: current.Sequence - 1, CreatedAt: current.CreatedAt}, nil, "", true},
		"an older one":                {own, plan.CatalogSeen{Sequence: current.Sequence + 1, CreatedAt: now.Add(time.Minute).UTC()}, []string{plan.KindCatalogReplayed}, "there was a later one before, of " + now.Add(time.Minute).UTC().Format(time.RFC3339), false},
		"just not too old":            {r.encoded(at(now.Add(-8*time.Minute), 5)), plan.CatalogSeen{}, nil, "", true},
		"too old":                     {r.encoded(at(now.Add(-8*time.Minute-time.Second), 5)), plan.CatalogSeen{}, []string{plan.KindCatalogStale}, "8m1s old, and none may be older than 8m0s", true},
		"old, and older than another": {r.encoded(at(now.Add(-time.Hour), 5)), remembered, []string{plan.KindCatalogReplayed, plan.KindCatalogStale}, "", false},
		"of a clock that is ahead":    {r.encoded(at(now.Add(23*time.Hour), 5)), remembered, nil, "", true},
		"of the future":               {r.encoded(at(now.Add(25*time.Hour), 5)), remembered, []string{plan.KindCatalogInvalid}, "made in the future", false},
		"gone":                        {nil, remembered, []string{plan.KindCatalogMissing}, "the bucket has no catalog, and had one of " + now.UTC().Format(time.RFC3339), false},
		"another producer's":          {made(r.producer.Recipients, foreign), remembered, []string{plan.KindCatalogInvalid}, "not by a trusted key", false},
		"to other recipients":         {made([]age.Recipient{stranger.Recipient()}, r.producer.Signer), remembered, []string{plan.KindCatalogInvalid}, "encrypted to", false},
		"nothing":                     {[]byte{}, remembered, []string{plan.KindCatalogInvalid}, "", false},
		"no age file":                 {[]byte("catalog"), remembered, []string{plan.KindCatalogInvalid}, "", false},
		"cut off":                     {own[:len(own)-1], remembered, []string{plan.KindCatalogInvalid}, "", false},
		"an object of the producer's in its place": {r.content(r.newest(r.sync.Destination).Key), remembered, []string{plan.KindCatalogInvalid}, "", false},
		"larger than any":                          {append(bytes.Clone(own), make([]byte, catalog.MaxSize)...), plan.CatalogSeen{}, []string{plan.KindCatalogInvalid}, "", false},
	} {
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), catalog.Key))
		if tt.body != nil {
			r.put(catalog.Key, tt.body)
		}
		page := r.plans(PlanRequest{Catalog: tt.last})
		require.Equal(t, tt.kinds, kindsOf(page), name)
		for _, f := range page.Failed {
			require.Equal(t, "catalog", f.Subject)
		}
		if tt.says != "" {
			require.Contains(t, page.Failed[0].Reason, tt.says, name)
		}
		if tt.newer {
			require.NotZero(t, page.Catalog, name)
			require.GreaterOrEqual(t, page.Catalog.Sequence, tt.last.Sequence, name)
		} else {
			require.Equal(t, tt.last, page.Catalog, name)
		}
		require.Empty(t, page.Warning, name)
		require.Len(t, page.Moves, 1, name)
		require.Equal(t, tip, page.Moves[0].Commit, name)
	}

	r.putCatalog(at(now.Add(-8*time.Minute-time.Second), 5))
	r.consumer.MaxCatalogAge = 9 * time.Minute
	require.Empty(t, r.plans(PlanRequest{}).Failed, "the operator says how old it may be")
	r.putCatalog(current)
	r.consumer.Environment, err = archive.ParseEnvironment("production")
	require.NoError(t, err)
	page := r.plans(PlanRequest{Catalog: remembered})
	require.Equal(t, []string{plan.KindCatalogInvalid}, kindsOf(page))
	require.Contains(t, page.Failed[0].Reason, "made for another environment")
}

// Without a catalog all is as before, and a consumer that could notice more says so. One that verifies nothing does not ask.
func TestWithoutCatalog(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), catalog.Key))
	page := r.plans(PlanRequest{})
	require.Equal(t, WithoutCatalog, page.Warning)
	require.Zero(t, page.Catalog)
	require.Zero(t, page.Moves[0].Expected)
	require.Empty(t, r.consume()[0].Warning)

	r.put(catalog.Key, []byte("nonsense"))
	r.consumer.Verifier = sign.Unverified()
	page = r.plans(PlanRequest{})
	require.Equal(t, Unverified, page.Warning)
	require.Empty(t, page.Failed)
}

// What the producer uploads after it has written the catalog is taken at once, and so is a bucket that was copied.
func TestObjectsThatAreNewerThanTheCatalog(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	r.produce()
	r.consume()
	before := r.content(catalog.Key)
	for _, content := range []string{"two", random(20_000), "three"} { // an increment, a snapshot that replaces both, an increment
		tip := r.commit(content)
		r.produce()
		must(r, r.producer.Prune, PruneRequest{})
		r.put(catalog.Key, before)
		page := r.plans(PlanRequest{})
		require.Empty(t, page.Failed)
		require.NotZero(t, page.Moves[0].Expected)
		r.consume()
		require.Equal(t, tip, r.tip())
	}
	r.produce()
	at := r.newest(r.sync.Destination)
	require.Eventually(t, func() bool {
		for _, o := range r.chains()[r.sync.Destination].Objects {
			r.put(o.Key, r.content(o.Key))
		}
		return r.newest(r.sync.Destination).Modified.After(at.Modified)
	}, 10*time.Second, 100*time.Millisecond)
	r.consume()
	require.Empty(t, r.plans(PlanRequest{}).Moves)
}

// An object of a sync that the producer does not name is not pushed, and the others are.
func TestRemovedSyncIsNotPushed(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	r.produce()
	c := r.catalog()
	syncs := c.Syncs
	c.Syncs = nil
	r.putCatalog(c)
	page := r.plans(PlanRequest{PageRequest: plan.PageRequest{Detail: true}})
	require.Empty(t, page.Failed)
	require.Empty(t, page.Moves)
	require.Equal(t, 1, page.NotCatalogued)
	require.Equal(t, "it is not in the producer's catalog: nothing is pushed of it", page.Waiting[0].Reason)
	require.Empty(t, r.consume())

	c.Syncs = syncs
	r.putCatalog(c)
	r.consume()
	require.Equal(t, tip, r.tip())
}

// What is wrong with a catalog is said whichever part of the plan finds it, and once.
func TestCatalogOfALaterPage(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), catalog.Key))
	page := r.plans(PlanRequest{PageRequest: plan.PageRequest{After: 1}, Catalog: plan.CatalogSeen{Sequence: 1, CreatedAt: time.Unix(1, 0).UTC()}})
	require.Equal(t, []string{plan.KindCatalogMissing}, kindsOf(page))
	var all plan.Failures
	all.FailAll(page.Failures)
	all.FailAll(page.Failures)
	require.Equal(t, 1, all.Count())
}

// A run that has to plan anew, as its object was replaced, goes back to no older one than its plan was to bring.
func TestRunPlansAnewByTheCatalog(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	r.produce()
	r.consume()
	r.commit("two")
	second := r.produce()[0]
	planned := r.plans(PlanRequest{}).Moves[0]
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), second.Key))
	require.Contains(t, fails(r, plan.KindObjectWithheld, r.download, planned), "an older object is in the place of the newest: it was uploaded ")

	tip := r.commit(random(20_000)) // what the source did when it was uploaded
	third := r.produce()[0]
	d := must(r, r.download, planned)
	require.Equal(t, tip, d.Target.Commit)
	require.NotEqual(t, second.Key, third.Key)
	must(r, r.push, must(r, r.decrypt, d))
	require.Equal(t, tip, r.tip())

	require.NoError(t, r.producer.Bucket.Delete(t.Context(), r.keysOfObjects()...))
	require.Contains(t, fails(r, plan.KindObjectWithheld, r.download, planned), "the bucket has no object in the place of the newest, which was uploaded ")
	c := r.catalogThere()
	spelled := c.Syncs[0]
	spelled.Destination.Name = strings.ToUpper(spelled.Destination.Name)
	for what, syncs := range map[string][]catalog.Sync{"gone": nil, "spelled otherwise": {spelled}, "another, which has nothing yet": {{Destination: planned.Destination}}} {
		c.Syncs, c.Sequence = syncs, c.Sequence+1
		r.putCatalog(c)
		require.Empty(t, must(r, r.download, planned).Objects, "the sync has left the configuration: %s", what)
	}
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), catalog.Key))
	fails(r, plan.KindObjectWithheld, r.download, planned) // there was a catalog
	planned.Expected = plan.Expected{}
	require.Empty(t, must(r, r.download, planned).Objects, "without a catalog, its sync may have left the configuration")
}

// A store that does not hand out this one object stops no sync: that is tried again as far as it may pass, and then said.
func TestCatalogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	r.produce()
	status := 0
	worker := r.twin(func(resp *http.Response) {
		if strings.HasSuffix(resp.Request.URL.Path, "/"+catalog.Key) {
			resp.StatusCode = status
		}
	})
	remembered := plan.CatalogSeen{Sequence: 1, CreatedAt: time.Unix(1, 0).UTC()}
	for _, tt := range []struct {
		status int
		kind   string
	}{{http.StatusForbidden, "BucketAccessDenied"}, {http.StatusServiceUnavailable, "ServerUnavailable"}} {
		status = tt.status
		var page plan.Page[plan.Push]
		var err error
		if tt.kind == "ServerUnavailable" {
			_, err = execute(worker, worker.consumer.PlanPushes, PlanRequest{Catalog: remembered})
			require.ErrorContains(t, err, tt.kind)
			page, err = worker.consumer.PlanPushes(t.Context(), PlanRequest{Catalog: remembered}) // nobody tries again
			require.NoError(t, err)
		} else {
			page = worker.plans(PlanRequest{Catalog: remembered})
		}
		require.Equal(t, []string{tt.kind}, kindsOf(page))
		require.Equal(t, "catalog", page.Failed[0].Subject)
		require.Contains(t, page.Failed[0].Reason, "the catalog cannot be read, and nobody notices what is withheld meanwhile: ")
		require.Equal(t, remembered, page.Catalog, "the last one is not forgotten")
		require.Equal(t, tip, page.Moves[0].Commit)
		require.Zero(t, page.Moves[0].Expected)
	}
}
