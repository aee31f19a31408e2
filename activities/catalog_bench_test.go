package activities

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/s3server/s3test"
)

// BenchmarkCatalog is what the catalog of 8,000 syncs adds to a cycle in which nothing moves: it is read, compared with chains of three
// objects, and written.
func BenchmarkCatalog(b *testing.B) {
	srv := s3test.Start(b)
	store, err := bucket.Open(b.Context(), bucket.Options{Name: srv.Name, PathStyle: true}, srv.ClientConfig(srv.Producer))
	require.NoError(b, err)
	id, err := age.GenerateX25519Identity()
	require.NoError(b, err)
	secret, _, err := sign.Generate()
	require.NoError(b, err)
	signer, err := sign.ParseSigner(secret)
	require.NoError(b, err)
	p := &Producer{Common: Common{Bucket: store, Clock: time.Now}, Recipients: []age.Recipient{id.Recipient()}, Signer: signer, Version: "test"}
	syncs, chains, looks := manyChains(b, 8000)
	update := func() (peak uint64) {
		l, err := p.openLedger(b.Context(), syncs)
		require.NoError(b, err)
		var all []project.Branch
		for _, s := range syncs {
			all = append(all, s.Destination)
		}
		l.compare(b.Context(), chains, all)
		for branch, c := range chains {
			require.True(b, l.trust(branch, c).Known)
		}
		require.NoError(b, l.save(context.WithoutCancel(b.Context()), 300, func(d *catalogDraft) { d.see(looks, l.began) }))
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	update() // the first one adopts
	info, err := store.Stat(b.Context(), catalog.Key)
	require.NoError(b, err)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak uint64
	b.ReportAllocs()
	for b.Loop() {
		peak = max(peak, update())
	}
	b.ReportMetric(float64(info.Size), "object-B")
	b.ReportMetric(float64(peak-before.HeapAlloc)/1e6, "heap-MB")
}

// manyChains are syncs that have been in the bucket for an hour, and what was seen of them.
func manyChains(tb testing.TB, n int) (syncs []project.Sync, chains map[project.Branch]chain.Chain, looks []plan.Look) {
	tb.Helper()
	chains = map[project.Branch]chain.Chain{}
	for i := range n {
		branch := project.Branch{Group: "mirror/of/a/group", Name: fmt.Sprintf("project-of-a-usual-name-%05d", i), Branch: "main"}
		syncs = append(syncs, project.Sync{Source: branch, Destination: branch})
		var objects []object.Stored
		id := object.ID{Destination: branch}
		for size := int64(1 << 20); size > 1<<14; size /= 4 {
			id.Base, id.Commit = id.Commit, fmt.Sprintf("%040x", int64(i)<<32+size)
			key, err := id.Key()
			require.NoError(tb, err)
			objects = append(objects, object.Stored{ID: id, Key: key, Size: size, Modified: time.Now().Add(-time.Hour), ETag: fmt.Sprintf("%q", id.Commit[8:])})
		}
		chains[branch] = chain.Chain{Objects: objects}
		looks = append(looks, plan.Look{Destination: branch, Head: plan.Head{Commit: id.Commit}})
	}
	return syncs, chains, looks
}
