package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/project"
)

var (
	anyTime = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(1, 200e9).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	anyCommit = rapid.StringMatching(`[0-9a-f]{39}[1-9a-f]`)
	anyHash   = rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[0-9a-f]{64}`))
	anyBranch = rapid.Custom(func(t *rapid.T) project.Branch {
		return project.Branch{
			Group:  rapid.StringMatching(`[A-Za-c]{1,3}(/[a-c]{1,2})?`).Draw(t, "group"),
			Name:   rapid.StringMatching(`[A-Da-d]{1,3}`).Draw(t, "name"),
			Branch: rapid.SampledFrom([]string{"main", "ü/ß", "refs/tags/v1", "refs/heads/release-*", "refs/*"}).Draw(t, "branch"),
		}
	})
)

func anySync(t *rapid.T) Sync {
	s := Sync{Destination: anyBranch.Draw(t, "destination")}
	if rapid.Bool().Draw(t, "seen") {
		s.State, s.SeenAt, s.MovedAt = anyCommit.Draw(t, "state"), anyTime.Draw(t, "seen_at"), anyTime.Draw(t, "moved_at")
	}
	if rapid.Bool().Draw(t, "uploaded") {
		s.Object = &Object{
			Commit: anyCommit.Draw(t, "commit"), Base: rapid.OneOf(rapid.Just(""), anyCommit).Draw(t, "base"),
			LFSObjects: rapid.IntMin(0).Draw(t, "lfs objects"), LFSSize: rapid.Int64Min(0).Draw(t, "lfs size"),
			Size: rapid.Int64Min(0).Draw(t, "size"), Modified: anyTime.Draw(t, "modified"),
			MadeAt:         rapid.OneOf(rapid.Just(time.Time{}), anyTime).Draw(t, "made_at"),
			ManifestSHA256: anyHash.Draw(t, "manifest_sha256"), Chain: anyHash.Draw(t, "chain"), Keys: anyHash.Draw(t, "keys"),
		}
	}
	if rapid.Bool().Draw(t, "fails") {
		s.Failure = &Failure{Kind: rapid.StringMatching(`[A-Z][A-Za-z0-9]{0,63}`).Draw(t, "kind"), Since: anyTime.Draw(t, "since")}
	}
	return s
}

// Whatever the producer may say arrives, in order.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	rapid.Check(t, func(t *rapid.T) {
		want := newCatalog()
		want.CreatedAt = anyTime.Draw(t, "created_at")
		want.Sequence = rapid.Int64Range(want.CreatedAt.UnixMilli(), maxSequence).Draw(t, "sequence")
		want.IntervalSeconds = rapid.IntRange(1, MaxInterval).Draw(t, "interval")
		distinct := rapid.SliceOfDistinct(rapid.Custom(anySync), func(s Sync) project.Branch { return s.Destination.Identity() })
		want.Syncs, want.Removed = distinct.Draw(t, "syncs"), distinct.Draw(t, "removed")
		var object bytes.Buffer
		require.NoError(t, Write(&object, want, s.recipients, s.signer))
		got, err := s.read(object.Bytes())
		require.NoError(t, err)
		want.Syncs, want.Removed = sorted(want.Syncs), sorted(want.Removed)
		got.Syncs, got.Removed = append([]Sync{}, got.Syncs...), append([]Sync{}, got.Removed...)
		require.Equal(t, want, got)
	})
}

// many is the catalog of that many syncs, of which nothing compresses that does not in practice.
func many(syncs int) Catalog {
	random := rand.NewChaCha8([32]byte{})
	hash := func() string {
		var b [sha256.Size]byte
		_, _ = random.Read(b[:])
		return hex.EncodeToString(b[:])
	}
	c, keys := newCatalog(), hash()
	c.Syncs = nil
	for i := range syncs {
		moved := noon.Add(-time.Duration(random.Uint64() % uint64(1000*time.Hour)))
		commit := hash()[:40]
		c.Syncs = append(c.Syncs, Sync{
			Destination: project.Branch{Group: fmt.Sprintf("enclave/team-%03d", i/100), Name: fmt.Sprintf("service-%05d", i), Branch: "main"},
			State:       commit, SeenAt: noon, MovedAt: moved,
			Object: &Object{
				Commit: commit, Base: hash()[:40], Size: int64(random.Uint64() % 1e8), Modified: moved.Truncate(time.Second), MadeAt: moved.Add(time.Millisecond),
				ManifestSHA256: hash(), Chain: hash(), Keys: keys,
			},
		})
	}
	return c
}

// The catalog of 8,000 syncs is small, and the largest fits, with names as long as a key allows.
func TestSizes(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	size := len(s.write(t, many(8000)))
	t.Logf("8,000 syncs: %d bytes", size)
	require.Less(t, size, 2<<20)

	most := many(MaxSyncs)
	size = len(s.write(t, most))
	t.Logf("%d syncs: %d bytes", MaxSyncs, size)
	require.Less(t, size, MaxSize)
	for i := range most.Syncs {
		most.Syncs[i].Destination.Branch = fmt.Sprintf("%0250d", i)
	}
	got, err := s.read(s.write(t, most))
	require.NoError(t, err)
	require.Len(t, got.Syncs, MaxSyncs)
}

func BenchmarkWrite(b *testing.B) {
	for _, syncs := range []int{1200, 8000} {
		b.Run(fmt.Sprintf("%d syncs", syncs), func(b *testing.B) {
			s, c := newSide(b), many(syncs)
			for b.Loop() {
				var object bytes.Buffer
				require.NoError(b, Write(&object, c, s.recipients, s.signer))
				b.ReportMetric(float64(object.Len()), "bytes")
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, syncs := range []int{1200, 8000} {
		b.Run(fmt.Sprintf("%d syncs", syncs), func(b *testing.B) {
			s := newSide(b)
			object := s.write(b, many(syncs))
			for b.Loop() {
				_, err := s.read(object)
				require.NoError(b, err)
			}
		})
	}
}
