package faults_test

import (
	"bytes"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/testserver/faultproxy"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// lieTime is how long a store lies, or refuses.
const lieTime = 20 * time.Second

// bucketCells are about what an object store does, and what others do in it.
func bucketCells() []cell {
	return slices.Concat(listingCells(), objectCells(), catalogCells(), lostAnswerCells(), partCells())
}

// listingCells have listings lie.
func listingCells() (cells []cell) {
	some := func(keep func(i, all int) bool) func() func(query, page string) string {
		return func() func(_, page string) string {
			return func(_, page string) string { return withObjects(page, keep) }
		}
	}
	for _, role := range stack.Roles {
		for _, lying := range []struct {
			fault string
			lie   func() func(query, page string) string
		}{
			{"lags behind", lagging},
			{"is cut off", cutOff},
			{"lacks every other object", some(func(i, _ int) bool { return i%2 == 0 })},
			{"is empty", some(func(int, int) bool { return false })},
		} {
			cells = append(cells, cell{
				table: "buckets", step: string(role) + "'s listing", fault: lying.fault, patience: 4 * time.Minute,
				strike: func(r *trial) {
					lies := r.on(bucketLinks[role], faultproxy.Fault{Of: isListing, Alter: altered(lying.lie())})
					r.await(lies.Struck())
					r.change(r)
					time.Sleep(lieTime)
					r.until(func() bool { return lies.Hits() > 2 })
				},
			})
		}
	}
	return cells
}

var bucketLinks = map[stack.Role]link{stack.Producer: producerToBucket, stack.Consumer: consumerToBucket}

// cutOff says that there is more, and not how to get it.
func cutOff() func(query, page string) string {
	return func(_, page string) string {
		page = withObjects(page, func(i, all int) bool { return i < all/2 })
		return listedMore.ReplaceAllString(page, "<IsTruncated>true</IsTruncated>")
	}
}

// lagging shows what each query has shown at first.
func lagging() func(query, page string) string {
	var mu sync.Mutex
	first := map[string]string{}
	return func(query, page string) string {
		mu.Lock()
		defer mu.Unlock()
		if first[query] == "" {
			first[query] = page
		}
		return first[query]
	}
}

// objectCells have someone else take objects away or put others in their place, right before the consumer reads them.
func objectCells() (cells []cell) {
	for _, kind := range []struct {
		fault string
		do    func(*trial, string)
	}{
		{"object is deleted", func(r *trial, key string) { r.remove(key) }},
		{"object is garbage", func(r *trial, key string) { r.overwrite(key, bytes.Repeat([]byte("garbage\n"), 1000)) }},
		{"object is truncated", func(r *trial, key string) {
			content := r.content(key)
			r.overwrite(key, content[:len(content)/2])
		}},
	} {
		cells = append(cells, cell{
			table: "buckets", step: "consumer's Download", fault: kind.fault, patience: 3 * time.Minute, fast: kind.fault == "object is garbage",
			strike: func(r *trial) {
				struck := r.before(consumerToBucket, of(http.MethodGet, quiet), func(req *http.Request) { kind.do(r, keyOf(req)) })
				r.change(r)
				r.await(struck)
			},
		})
	}
	return cells
}

// catalogCells take the producer's catalog away, or put an old one back, again and again.
func catalogCells() (cells []cell) {
	for _, kind := range []struct {
		fault string
		do    func(r *trial, old []byte)
	}{
		{"is deleted again and again", func(r *trial, _ []byte) { r.remove(catalog.Key) }},
		{"is an old one again and again", func(r *trial, old []byte) { r.overwrite(catalog.Key, old) }},
		{"is garbage again and again", func(r *trial, _ []byte) { r.overwrite(catalog.Key, []byte("not a catalog")) }},
	} {
		cells = append(cells, cell{
			table: "buckets", step: "catalog", fault: kind.fault, patience: 3 * time.Minute,
			strike: func(r *trial) {
				old := r.content(catalog.Key)
				r.change(r)
				for end := time.Now().Add(lieTime); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
					kind.do(r, old)
				}
			},
		})
	}
	return cells
}

// lostAnswerCells lose answers, and refuse.
func lostAnswerCells() (cells []cell) {
	for _, lost := range []struct {
		step string
		of   request
	}{
		{"producer's Upload", of(http.MethodPut, quiet)},
		{"producer's UploadLFS", func(r *http.Request) bool { return r.Method == http.MethodPut && isLFS(r) }},
		{"producer's Publish", func(r *http.Request) bool { return r.Method == http.MethodPut && isCatalog(r) }},
		{"producer's Prune", isDeletion},
	} {
		cells = append(cells, cell{
			table: "buckets", step: lost.step, fault: "answers are lost",
			strike: func(r *trial) {
				// More often than a step asks by itself.
				active := r.on(producerToBucket, faultproxy.Fault{Of: lost.of, Times: 5, Alter: faultproxy.LoseAnswer})
				r.change(r)
				r.until(func() bool { return active.Hits() >= 3 })
			},
		})
	}
	return append(cells, cell{
		table: "buckets", step: "producer's Upload", fault: "bucket is read-only", patience: afterRefusal,
		strike: func(r *trial) {
			refused := r.on(producerToBucket, faultproxy.Fault{Of: isWrite, Answer: storeError(http.StatusForbidden, "AccessDenied")})
			r.change(r)
			time.Sleep(lieTime)
			assert.Positive(r, refused.Hits())
		},
	})
}
