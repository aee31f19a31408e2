package activities

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// fullBucket serves a listing of that many keys, as key makes them of their numbers. The i-th has to sort
// before the next.
func fullBucket(t testing.TB, keys int, key func(i int) string) *bucket.Bucket {
	t.Helper()
	return countedBucket(t, keys, key, new(atomic.Int64))
}

// countedBucket is fullBucket that counts the requests.
func countedBucket(t testing.TB, keys int, key func(i int) string, requests *atomic.Int64) *bucket.Bucket {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		from, _ := strconv.Atoi(r.URL.Query().Get("continuation-token"))
		if after := r.URL.Query().Get("start-after"); after != "" {
			from = sort.Search(keys, func(i int) bool { return key(i) > after })
		}
		to := min(from+1000, keys)
		out := bufio.NewWriter(w)
		defer out.Flush()
		fmt.Fprintf(out, "<ListBucketResult><IsTruncated>%t</IsTruncated><NextContinuationToken>%d</NextContinuationToken>", to < keys, to)
		for i := from; i < to; i++ {
			fmt.Fprintf(out, "<Contents><LastModified>2026-01-02T%02d:%02d:%02dZ</LastModified><ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag>"+
				"<Size>%d</Size><StorageClass>STANDARD</StorageClass><Key>", i/3600%24, i/60%60, i%60, i%1_000_000)
			_ = xml.EscapeText(out, []byte(key(i)))
			fmt.Fprint(out, "</Key></Contents>")
		}
		fmt.Fprint(out, "</ListBucketResult>")
	}))
	t.Cleanup(srv.Close)
	b, err := bucket.Open(t.Context(), bucket.Options{Name: "b", PathStyle: true}, config.WithBaseEndpoint(srv.URL), config.WithRegion("r"),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("a", "s", "")))
	require.NoError(t, err)
	return b
}

// hostileKey makes as much work as a key can: of one destination that is configured, of ever new ones with the
// longest names, of such as are not allowed, and unreadable ones.
func hostileKey(i int) string {
	base := fmt.Sprintf("%040x", i+1)
	k := object.ID{Commit: base, Base: base, Destination: project.Branch{Group: "wanted", Name: "one", Branch: "main"}}
	switch i % 4 {
	case 1:
		k.Destination = project.Branch{Group: "new/" + strings.Repeat("g", 60), Name: strings.Repeat("n", 90) + strconv.Itoa(i), Branch: strings.Repeat("b", 240)}
	case 2:
		k.Destination.Group = "other/" + strconv.Itoa(i)
	case 3:
		return base + "/" + strings.Repeat("x", 900)
	}
	key, err := k.Key()
	if err != nil {
		panic(err)
	}
	return key
}

// peakHeap is how much more memory the heap takes while f runs than before, in bytes.
func peakHeap(f func()) uint64 {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	idle, peak := heap(), uint64(0)
	var done atomic.Bool
	over := make(chan struct{})
	go func() {
		defer close(over)
		for !done.Load() {
			peak = max(peak, heap())
			time.Sleep(5 * time.Millisecond)
		}
	}()
	f()
	done.Store(true)
	<-over
	return peak - min(peak, idle)
}

// maxListingHeap is what docs/architecture.md promises for a bucket of any size.
const maxListingHeap = 64 << 20

// Many branches may be planned anew at the same time, so that what nobody asks for there is not kept at all.
func TestOneBranchOfAHostileBucket(t *testing.T) {
	allow, err := project.ParseAllowlist("wanted/*, new/*")
	require.NoError(t, err)
	c := &Consumer{Common: Common{Bucket: fullBucket(t, 60_000, hostileKey), Clock: time.Now}, Allow: allow}
	var push plan.Push
	heap := peakHeap(func() {
		push, err = c.replan(t.Context(), plan.Push{Destination: project.Branch{Group: "wanted", Name: "one", Branch: "main"}})
	})
	require.NoError(t, err)
	require.NotEmpty(t, push.Objects)
	t.Log(heap>>20, "MiB")
	require.Less(t, heap, uint64(16<<20))
}

// readHostile lists the bucket as a consumer does, and returns what it holds and the memory that took.
func readHostile(t testing.TB, keys int) (held bucketContents, heap uint64) {
	t.Helper()
	b := fullBucket(t, keys, hostileKey)
	allow, err := project.ParseAllowlist("wanted/*, new/*")
	require.NoError(t, err)
	heap = peakHeap(func() {
		wanted := func(b project.Branch) bool { return b.Group == "wanted" }
		held, err = readBucket(t.Context(), b, selection{first: wanted, configured: wanted, allow: allow})
	})
	require.NoError(t, err)
	t.Logf("%d keys: %d MiB", keys, heap>>20)
	require.LessOrEqual(t, heap, uint64(maxListingHeap))
	return held, heap
}

func TestHostileBucketIsReadInBoundedMemory(t *testing.T) {
	const keys = 80_000
	held, _ := readHostile(t, keys)
	require.Contains(t, held.chains, project.Branch{Group: "wanted", Name: "one", Branch: "main"}, "what is configured is never left out")
	require.Greater(t, len(held.chains), 1000)
	counts := map[string]int{}
	for _, f := range held.failures {
		counts[f.Kind]++
	}
	require.Equal(t, maxReportedKeys+1, counts[plan.KindUndecodableKey])
	require.Equal(t, 1, counts[plan.KindTooManyObjects])
	require.Equal(t, held.refused+1, counts[plan.KindNotAllowed])
	require.Less(t, held.refused, 500)
	require.Equal(t, keys/4, len(held.chains)-1+held.omitted.Unconfigured, "those without room are counted")
	require.Zero(t, held.omitted.Configured)
}

// The catalog is no object: neither side reports it. TestPruneSuperseded shows that it is not deleted.
func TestListingsPassOverTheCatalog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(catalog.Key, []byte("a catalog"))
	r.arrives(r.commit("one"))
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Failures)
	require.Empty(t, r.planPushes().Failures)
}

// LFS objects are none that a plan looks at, whatever is in their folder, and 5,000 of them cost one request of the listing.
func TestListingsPassOverLFSObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(lfs.Root+"x/1.age", []byte("a segment"))
	r.put(lfs.Root+"loose", nil)
	r.arrives(r.commit("one"))
	require.Empty(t, must(r, r.producer.PlanUploads, PlanRequest{}).Failures)
	require.Empty(t, r.planPushes().Failures)

	destination := project.Branch{Group: "g", Name: "p", Branch: "main"}
	snapshot, err := object.ID{Destination: destination, Commit: strings.Repeat("a", 40)}.Key()
	require.NoError(t, err)
	var requests atomic.Int64
	b := countedBucket(t, 5001, func(i int) string {
		if i == 0 {
			return snapshot
		}
		return lfs.Root + fmt.Sprintf("x/%05d/1.age", i)
	}, &requests)
	held, err := readBucket(t.Context(), b, selection{allow: project.AllowAll()})
	require.NoError(t, err)
	require.Len(t, held.chains, 1)
	require.True(t, held.lfs)
	require.Empty(t, held.failures)
	require.EqualValues(t, 2, requests.Load())
}

// An empty listing is no reason to move or to delete anything.
func TestEmptyBucketMovesNothing(t *testing.T) {
	t.Parallel()
	held, err := readBucket(t.Context(), fullBucket(t, 0, hostileKey), selection{allow: project.AllowAll()})
	require.NoError(t, err)
	require.Empty(t, held.chains)
	require.Empty(t, plan.PushPlanner{Chains: held.chains, Allow: project.AllowAll()}.Candidates())
}

func BenchmarkBucketOfAMillionKeys(b *testing.B) {
	for b.Loop() {
		_, heap := readHostile(b, 1_000_000)
		b.ReportMetric(float64(heap)/(1<<20), "MiB-peak")
	}
}
