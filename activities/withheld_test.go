package activities

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// withheldRigs are a rig with a branch and one with a set, each with an upload that arrived, and a later one of which only
// the catalog tells.
func withheldRigs(t *testing.T, test func(t *testing.T, r *rig, first, second Uploaded)) {
	for name, branch := range map[string]string{"branch": "main", "set": "refs/heads/*"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			commit := func(content string) {
				_, err := r.source.Commit(t.Context(), sourceRepo, "main", map[string]string{"file": content}, content)
				require.NoError(t, err)
			}
			commit(random(20_000))
			if branch != r.sync.Source.Branch {
				r.configureSet(pair(branch, branch))
			}
			first := r.produce()[0]
			r.consume()
			commit("two")
			second := r.produce()[0]
			test(t, r, first, second)
		})
	}
}

// The newest object is kept back, while the destination is where the one before it has put it.
func TestNewestObjectIsWithheld(t *testing.T) {
	t.Parallel()
	withheldRigs(t, func(t *testing.T, r *rig, _, second Uploaded) {
		content := r.content(second.Key)
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), second.Key))
		page := r.plans(PlanRequest{})
		require.Equal(t, []string{plan.KindObjectWithheld}, kindsOf(page))
		require.Equal(t, r.sync.Destination.String(), page.Failed[0].Subject)
		require.Contains(t, page.Failed[0].Reason, "somebody keeps objects back")
		require.Empty(t, page.Moves)

		detail := r.plans(PlanRequest{PageRequest: plan.PageRequest{Detail: true}})
		require.Equal(t, []string{plan.KindObjectWithheld}, kindsOf(detail))
		require.NotEmpty(t, detail.Sources[r.sync.Destination.String()].BehindSince)

		require.NoError(t, r.producer.Bucket.Delete(t.Context(), r.keysOfObjects()...))
		require.Equal(t, []string{plan.KindObjectWithheld}, kindsOf(r.plans(PlanRequest{})), "nothing is left")

		r.put(second.Key, content)
		page = r.plans(PlanRequest{})
		require.Empty(t, page.Failed, "it is there again")
		require.Len(t, page.Moves, 1)
	})
}

// keysOfObjects are all keys in the bucket but the catalog's.
func (r *rig) keysOfObjects() (keys []string) {
	r.Helper()
	for _, c := range r.chains() {
		for _, o := range c.All() {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// An old object that is uploaded again has a new time in the bucket, and is found out by its manifest: by whatever step
// reads it first.
func TestOldObjectIsPutBack(t *testing.T) {
	t.Parallel()
	withheldRigs(t, func(t *testing.T, r *rig, first, second Uploaded) {
		content := r.content(first.Key)
		require.NoError(t, r.producer.Bucket.Delete(t.Context(), second.Key))
		require.Eventually(t, func() bool {
			r.put(first.Key, content)
			return r.newest(r.sync.Destination).Modified.After(r.catalogThere().Syncs[0].Object.Modified)
		}, 10*time.Second, 100*time.Millisecond)
		page := r.plans(PlanRequest{})
		require.Empty(t, page.Failed, "a listing does not tell")
		text := fails(r, plan.KindObjectWithheld, r.download, page.Moves[0]) // the destination is there: its manifest is all that is read
		require.Contains(t, text, "an older object is in the place of the newest: it was made ")

		destination, err := r.destination.Git(t.Context(), destinationRepo, "for-each-ref", "--format=%(refname)")
		require.NoError(t, err)
		for _, ref := range bytes.Fields([]byte(destination)) {
			r.atDestination("update-ref", "-d", string(ref))
		}
		page = r.plans(PlanRequest{})
		if r.sync.Destination.IsSet() { // its refs are read before it is downloaded
			fails(r, plan.KindObjectWithheld, r.download, page.Moves[0])
		} else {
			fails(r, plan.KindObjectWithheld, r.decrypt, must(r, r.download, page.Moves[0]))
		}
		page = r.plans(PlanRequest{Retry: []project.Branch{r.sync.Destination}})
		must(r, r.push, must(r, r.decrypt, must(r, r.download, page.Moves[0]))) // an operator wants it so
	})
}

// A large object is found out by its start.
func TestLargeOldObjectIsNotDownloaded(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(objectHeadSize))
	r.produce()
	c := r.catalog()
	object := c.Syncs[0].Object
	object.MadeAt, object.ManifestSHA256 = object.MadeAt.Add(time.Hour), strings.Repeat("ab", 32)
	r.putCatalog(c)
	require.Greater(t, object.Size, int64(objectHeadSize))
	fails(r, plan.KindObjectWithheld, r.download, r.plans(PlanRequest{}).Moves[0])

	object.ManifestSHA256 = "" // the producer does not know it, as of an object from before it wrote catalogs
	object.MadeAt = time.Time{}
	r.putCatalog(c)
	must(r, r.download, r.plans(PlanRequest{}).Moves[0])
}

// A single listing that lacks the newest object is no alarm, whatever the reason: it is looked at again. One of two that
// lack it is.
func TestListingIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	r.produce()
	r.consume()
	stands := &lag{}
	listings := 0
	stands.before = func(req *http.Request) {
		if req.URL.Query().Has("list-type") {
			listings++
		}
	}
	direct := r.consumer.Bucket
	lagging, err := bucket.Open(t.Context(), bucket.Options{Name: r.s3.Name, PathStyle: true}, r.s3.ClientConfig(r.s3.Consumer),
		config.WithBaseEndpoint(stands.serve(t, r.s3.URL())))
	require.NoError(t, err)
	plans := func() plan.Page[plan.Push] {
		r.consumer.Bucket = lagging
		defer func() { r.consumer.Bucket = direct }()
		return r.plans(PlanRequest{})
	}
	require.Empty(t, plans().Failed)
	require.Equal(t, 1, listings, "nothing is amiss")

	tip := r.commit("two")
	r.produce()
	stands.freeze()
	listings = 0
	page := plans()
	require.Equal(t, []string{plan.KindObjectWithheld}, kindsOf(page))
	require.Equal(t, 2, listings)

	listings, stands.before = 0, func(req *http.Request) {
		if req.URL.Query().Has("list-type") {
			if listings++; listings == 2 {
				stands.thaw()
			}
		}
	}
	page = plans()
	require.Empty(t, page.Failed)
	require.Equal(t, tip, page.Moves[0].Commit)
	require.Equal(t, 2, listings)
}

// A store that shows each time something else as withheld keeps nothing back unnoticed.
func TestEachLookFindsSomethingElseWithheld(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit("one")
	r.produce()
	c := r.catalog()
	looks := 0
	worker := r.twin(func(resp *http.Response) {
		if looks++; strings.HasSuffix(resp.Request.URL.Path, "/"+catalog.Key) {
			other := c
			absent := c.Syncs[0]
			absent.Destination.Name = fmt.Sprintf("other-%d", looks)
			other.Syncs = append(slices.Clone(c.Syncs), absent)
			body := r.encoded(other)
			resp.ContentLength, resp.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
			resp.Header = http.Header{"Etag": {fmt.Sprintf("%q", absent.Destination.Name)}, "Content-Length": {strconv.Itoa(len(body))}}
		}
	})
	page := worker.plans(PlanRequest{})
	require.Equal(t, []string{plan.KindObjectWithheld}, kindsOf(page))
	require.Equal(t, tip, page.Moves[0].Commit)
}

// thaw makes listings be what the bucket has again.
func (l *lag) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind = false
}
