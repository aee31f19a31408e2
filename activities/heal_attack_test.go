package activities

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

// alterListings has listings pass through a function.
func (r *rig) alterListings(alter func([]byte) []byte) {
	r.lag.alter = func(resp *http.Response) {
		if resp.Request.Method != http.MethodGet || !resp.Request.URL.Query().Has("list-type") {
			return
		}
		content, err := io.ReadAll(resp.Body)
		require.NoError(r, err)
		content = alter(content)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
		resp.Header.Set("Content-Length", strconv.Itoa(len(content)))
	}
}

var listedETag = regexp.MustCompile(`<ETag>[^<]*</ETag>`)

// Some stores list no ETags, or other ones than they give with an object. What was uploaded is known there as well, and nothing is
// uploaded again and again; an object that is altered is noticed by its time.
func TestListingsWithOtherETags(t *testing.T) {
	t.Parallel()
	for name, listed := range map[string]string{"none": "", "others": "<ETag>&quot;0&quot;</ETag>"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.alterListings(func(content []byte) []byte { return listedETag.ReplaceAll(content, []byte(listed)) })
			r.commit(random(20_000))
			first := r.produce()[0]
			require.Empty(t, r.produce(), "it is known")
			tip := r.commit("two")
			second := r.produce()[0]
			require.Equal(t, first.ID.Commit, second.ID.Base)
			require.Empty(t, r.produce(), "so is an increment")
			awaitNextSecond()
			r.damage(second.Key)
			require.Len(t, r.produce(), 1)
			require.Empty(t, r.produce())
			r.consume()
			require.Equal(t, tip, r.tip())
		})
	}
}

// Another object of the same size and second is not the one that was uploaded, whatever a listing says of ETags.
func TestAlteredWithinTheSecond(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.alterListings(func(content []byte) []byte { return listedETag.ReplaceAll(content, nil) })
	r.commit(random(20_000))
	uploaded := must(r, r.upload, r.encrypted(r.planned()))
	r.damage(uploaded.Key)
	now, err := r.direct().Stat(t.Context(), uploaded.Key)
	require.NoError(t, err)
	uploaded.Modified = now.Modified
	r.ended(r.sync.Destination, uploaded, nil)
	require.Contains(t, r.planned().Reason, notUploaded)
}

// A catalog that cannot be read, such as one that is encrypted with a key that the producer may write with and not read, is one
// failure, and stops nothing. Once it can be read, all is as before.
func TestOwnCatalogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	r.lag.alter = func(resp *http.Response) {
		if resp.Request.Method == http.MethodGet && strings.HasSuffix(resp.Request.URL.Path, "/"+catalog.Key) {
			resp.StatusCode = http.StatusForbidden
			resp.Body = io.NopCloser(strings.NewReader("<Error><Code>AccessDenied</Code></Error>"))
			resp.ContentLength = -1
			resp.Header.Del("Content-Length")
		}
	}
	tip := r.commit("two")
	page := must(r, r.producer.PlanUploads, PlanRequest{})
	require.Equal(t, []string{"CatalogNotWritten"}, kindsOf(page))
	require.Contains(t, page.Failed[0].Reason, "access denied")
	require.Len(t, page.Moves, 1)
	must(r, r.upload, r.encrypted(page.Moves[0]))
	_, err := r.activities.ExecuteActivity(r.producer.Publish)
	require.ErrorContains(t, err, "access denied")
	r.consume()
	require.Equal(t, tip, r.tip())
	r.lag.alter = nil
	for range 2 {
		r.produce()
	}
	require.Empty(t, r.produce())
	require.NotEmpty(t, r.entry().Object.Keys)
}

// Whoever has cycles begin more rarely than a catalog can say has catalogs that say the most.
func TestCatalogOfRareCycles(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{IntervalSeconds: 400 * 24 * 60 * 60}).Failed)
	require.Equal(t, catalog.MaxInterval, r.catalogThere().IntervalSeconds)
}

// A sync that is taken away and put back, as when the list of syncs was wrong for a while, goes on with what is in the bucket, also if
// Temporal has forgotten its runs. Snapshots of all that was away would keep everything else waiting.
func TestSyncThatIsPutBack(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	first := r.produce()[0]
	before := r.entry()
	r.runs.ends = runEnds{r.sync.Destination.String(): {err: serviceerror.NewNotFound("no such workflow")}}

	r.producer.Syncs = &listed{}
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
	away := r.catalogThere()
	require.Empty(t, away.Syncs)
	require.Len(t, away.Removed, 1)

	r.producer.Syncs = &listed{syncs: []project.Sync{r.sync}}
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
	require.Equal(t, before.Object, r.entry().Object)
	require.Empty(t, r.catalogThere().Removed)
	r.commit("two")
	require.Equal(t, first.ID.Commit, r.produce()[0].ID.Base)

	r.producer.Syncs = &listed{}
	r.producer.Clock = func() time.Time { return time.Now().Add(removedFor + time.Hour) }
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Moves)
	require.Empty(t, r.catalogThere().Removed, "it was too long ago")
}

// Objects of syncs that are refused may take all the room there is for a part of the bucket, and come before the others. Publish then
// leaves those to the next cycle, and does not list the bucket again and again.
func TestPublishEndsWithoutRoom(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.commit("one")
	r.produce()
	now := time.Now()
	twice := project.Branch{Group: "mirror", Name: "twice"}
	for turn.At(now).Position(twice) > turn.At(now).Position(r.sync.Destination) {
		now = now.Add(time.Minute)
	}
	r.producer.Clock = func() time.Time { return now }
	var keys []string
	sizes := map[string]int64{}
	syncs := []project.Sync{r.sync}
	for i := range 90 {
		twice.Branch = fmt.Sprint("branch-", i)
		s := project.Sync{Source: r.sync.Source, Destination: twice}
		syncs = append(syncs, s, s)
		for n := range 252 {
			key, err := object.ID{Destination: twice, Commit: fmt.Sprintf("%040x", n+1)}.Key()
			require.NoError(t, err)
			keys = append(keys, key)
			sizes[key] = 1 << (n / 4)
		}
	}
	slices.Sort(keys)
	r.producer.Syncs = &listed{syncs: syncs}
	lists := 0
	r.lag.alter = func(resp *http.Response) {
		query := resp.Request.URL.Query()
		if !query.Has("list-type") || query.Get("prefix") != "" {
			return
		}
		from, _ := strconv.Atoi(query.Get("continuation-token"))
		if from == 0 {
			lists++
		}
		to := min(len(keys), from+1000)
		page := bytes.NewBufferString("<ListBucketResult>")
		fmt.Fprintf(page, "<IsTruncated>%t</IsTruncated><NextContinuationToken>%d</NextContinuationToken>", to < len(keys), to)
		for _, key := range keys[from:to] {
			fmt.Fprintf(page, "<Contents><Key>%s</Key><Size>%d</Size><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>", key, sizes[key])
		}
		page.WriteString("</ListBucketResult>")
		resp.Header.Set("Content-Length", strconv.Itoa(page.Len()))
		resp.Body, resp.ContentLength = io.NopCloser(page), int64(page.Len())
		if lists > 3 { // it would go on for ever
			resp.StatusCode = http.StatusForbidden
		}
	}
	r.publish()
	require.Equal(t, 1, lists)
}
