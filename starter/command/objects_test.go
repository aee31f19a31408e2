package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// listed is a bucket's listing, in the order of keys, which ends with an error unless it is nil.
func listed(failure error, objects ...bucket.ObjectInfo) iter.Seq2[bucket.ObjectInfo, error] {
	return func(yield func(bucket.ObjectInfo, error) bool) {
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
		if failure != nil {
			yield(bucket.ObjectInfo{}, failure)
		}
	}
}

func stored(t testing.TB, destination, commit, base string, size int64, age time.Duration) bucket.ObjectInfo {
	t.Helper()
	b, err := project.ParseBranch(destination)
	require.NoError(t, err)
	id := object.ID{Destination: b, Commit: strings.Repeat(commit, 40), Base: strings.Repeat(base, 40)}
	key, err := id.Key()
	if base == "p" {
		id.Base = ""
		key, err = id.PredecessorKey()
	}
	require.NoError(t, err)
	return bucket.ObjectInfo{Key: key, Size: size, Modified: time.Now().Add(-age)}
}

func lfsSegment(t *testing.T, path, oid string, n int) bucket.ObjectInfo {
	t.Helper()
	group, name, _ := strings.Cut(path, "/")
	key, err := lfs.Key(project.Branch{Group: group, Name: name}, strings.Repeat(oid, 64), n)
	require.NoError(t, err)
	return bucket.ObjectInfo{Key: key, Size: 2_000_000, Modified: time.Now()}
}

func exampleBucket(t *testing.T) []bucket.ObjectInfo {
	t.Helper()
	const router = "enclave/router@main"
	return []bucket.ObjectInfo{
		{Key: catalog.Key, Size: 4_000, Modified: time.Now()},
		stored(t, router, "c", "b", 2_000, time.Hour), stored(t, router, "b", "a", 30_000, 2*time.Hour),
		stored(t, router, "a", "", 1_000_000, 3*time.Hour), stored(t, router, "9", "", 900_000, 48*time.Hour),
		stored(t, "Enclave/web@refs/*", "d", "", 500, 5*time.Hour), stored(t, "old/app@main", "e", "p", 700, time.Hour),
		{Key: "evil\x1b[2J" + strings.Repeat("k", 200), Size: 1, Modified: time.Now()},
		lfsSegment(t, "enclave/router", "1", 1), lfsSegment(t, "enclave/router", "1", 2), lfsSegment(t, "enclave/router", "2", 1),
	}
}

func TestObjectsAsATable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, showObjectTable(&out, &bucketListing{}, listed(nil, exampleBucket(t)...)))
	require.Equal(t, `enclave/router@main
  snapshot      aaaaaaa     1.0 MB  3 hours ago
    on aaaaaaa  bbbbbbb      30 kB  2 hours ago
    on bbbbbbb  ccccccc     2.0 kB  1 hour ago
  snapshot      9999999     900 kB  2 days ago, superseded
Enclave/web@refs/*
  snapshot      ddddddd      500 B  5 hours ago
old/app@main
  predecessor   eeeeeee      700 B  1 hour ago

LFS OBJECTS  SIZE    PROJECT
2            6.0 MB  enclave/router
2            6.0 MB  in all
no key of ours: "evil\x1b[2Jkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

  OBJECTS    SIZE  IN THE BUCKET
        3  1.9 MB  snapshots
`, strings.SplitAfter(out.String(), "snapshots\n")[0])
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len(line), 81)
	}
	require.False(t, strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), foreign.IsControl))
	require.Regexp(t, `\n +11 .* in all\n$`, out.String())
}

func TestObjectsOfNames(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]string{
		"enclave/router":            "4 chain 3 lfs",
		"ENCLAVE/Router@main":       "4 chain 3 lfs",
		"enclave/router@Main":       "0 chain 3 lfs",
		"enclave/*@main":            "4 chain 3 lfs",
		"enclave/*":                 "5 chain 3 lfs",
		"*@refs/*":                  "1 chain 3 lfs",
		"old/app@refs/heads/main":   "1 chain 0 lfs",
		"old/app enclave/web":       "2 chain 0 lfs",
		"enclave/(router|web)@main": "0 chain 0 lfs",
		"":                          "6 chain 3 lfs",
	} {
		chains, lfsKeys := 0, 0
		for o, err := range (&bucketListing{wanted: newNamePatterns(strings.Fields(names))}).each(listed(nil, exampleBucket(t)...)) {
			require.NoError(t, err)
			switch o.Kind {
			case kindLFS:
				lfsKeys++
			case kindCatalog, kindUndecodable:
				require.Empty(t, names)
			default:
				chains++
			}
		}
		require.Equal(t, want, fmt.Sprintf("%d chain %d lfs", chains, lfsKeys), names)
	}
}

// What is printed for programs is one JSON value, also of a bucket that is empty, and of one that cannot be listed to the end.
func TestObjectsAsJSON(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken listing")
	for name, tt := range map[string]struct {
		failure error
		objects []bucket.ObjectInfo
		want    int
	}{"all": {nil, exampleBucket(t), 11}, "nothing": {nil, nil, 0}, "broken": {broken, exampleBucket(t)[:3], 2}, "broken at once": {broken, nil, 1}} {
		var out bytes.Buffer
		err := showObjectJSON(&out, &bucketListing{}, listed(tt.failure, tt.objects...))
		require.ErrorIs(t, err, tt.failure)
		var all []map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &all), "%s\n%s", name, out.String())
		require.Len(t, all, tt.want)
		if tt.failure != nil {
			require.Equal(t, map[string]any{"error": "broken listing"}, all[tt.want-1])
			require.True(t, outcomeOf(err).shown)
		}
	}
}

// An increment on something that nothing in the bucket has is named.
func TestObjectsOfABrokenChain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, showObjectTable(&out, &bucketListing{}, listed(nil, stored(t, "g/n@main", "b", "a", 1, time.Hour))))
	require.Contains(t, out.String(), "    on aaaaaaa  bbbbbbb        1 B  1 hour ago, its base is missing\n")
}

// A bucket with many objects is listed in bounded memory.
func TestManyObjects(t *testing.T) {
	t.Parallel()
	l, o := &bucketListing{kept: maxChainObjects - 1}, stored(t, "g/n@main", "a", "", 1, 0)
	_, _, err := l.take(o)
	require.NoError(t, err)
	_, _, err = l.take(o)
	require.ErrorContains(t, err, "more than 500000 objects of chains: name some destinations")
}

func BenchmarkObjects(b *testing.B) {
	var objects []bucket.ObjectInfo
	for i := range 100_000 {
		objects = append(objects, stored(b, fmt.Sprintf("group/name%d@main", i/9), fmt.Sprint(1+i%9), "", 1, time.Duration(i)*time.Second))
	}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		l := &bucketListing{}
		for _, o := range objects {
			_, _, err := l.take(o)
			require.NoError(b, err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(objects)), "B/object")
		require.NoError(b, showObjectTable(io.Discard, l, listed(nil)))
	}
}
