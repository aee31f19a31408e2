package catalog

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

func plain(t testing.TB, c Catalog) string {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	return string(text)
}

// What the producer's own key has signed is not believed blindly: someone may have the key, or a bug may have written it.
func TestInvalidCatalogs(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	for want, change := range map[string]func(c *Catalog){
		"created_at 0001-01-01T00:00:00Z is not between 1970 and 9999": func(c *Catalog) { c.CreatedAt = time.Time{} },
		"sequence 0 is not from":           func(c *Catalog) { c.Sequence = 0 },
		"sequence -1 is not from":          func(c *Catalog) { c.Sequence = -1 },
		"sequence 9007199254740992 is not": func(c *Catalog) { c.Sequence = 1 << 53 },
		"sequence 1777895999999 is not":    func(c *Catalog) { c.Sequence = c.CreatedAt.UnixMilli() - 1 },
		"interval_seconds 0 is not from":   func(c *Catalog) { c.IntervalSeconds = 0 },
		"interval_seconds 2678401 is not":  func(c *Catalog) { c.IntervalSeconds = MaxInterval + 1 },
		"created_by is not UTF-8":          func(c *Catalog) { c.CreatedBy = strings.Repeat("x", 201) },
		`environment: "two words" is not`:  func(c *Catalog) { c.Environment = "two words" },
		"comes twice, or not in order":     func(c *Catalog) { c.Syncs[1].Destination = c.Syncs[0].Destination },
		`sync 2, "ENCLAVE/billing@main": co`: func(c *Catalog) {
			c.Syncs[1].Destination = c.Syncs[0].Destination
			c.Syncs[1].Destination.Group = "ENCLAVE"
		},
		`branch "": is empty`:                              func(c *Catalog) { c.Syncs[0].Destination.Branch = "" },
		`group ".."`:                                       func(c *Catalog) { c.Syncs[0].Destination.Group = ".." },
		"contains a character that terminals":              func(c *Catalog) { c.Syncs[0].Destination.Branch = "a\u202eb" },
		`state "main" is neither a commit nor`:             func(c *Catalog) { c.Syncs[0].State = "main" },
		"seen_at or moved_at without a state":              func(c *Catalog) { c.Syncs[0].State = "" },
		"seen_at or moved_at is not between":               func(c *Catalog) { c.Syncs[0].MovedAt = time.Time{} },
		`object: commit "x" is not a full SHA`:             func(c *Catalog) { c.Syncs[0].Object.Commit = "x" },
		`object: base "x" is not a full SHA-1`:             func(c *Catalog) { c.Syncs[0].Object.Base = "x" },
		"object: lfs_objects -1 or lfs_size 0 is negative": func(c *Catalog) { c.Syncs[0].Object.LFSObjects = -1 },
		"object: lfs_objects 0 or lfs_size -1 is negative": func(c *Catalog) { c.Syncs[0].Object.LFSSize = -1 },
		"object: size -1 is negative":                      func(c *Catalog) { c.Syncs[0].Object.Size = -1 },
		"object: modified or made_at is not":               func(c *Catalog) { c.Syncs[0].Object.Modified = time.Time{} },
		`object: manifest_sha256 "cc" is not a`:            func(c *Catalog) { c.Syncs[0].Object.ManifestSHA256 = "cc" },
		`object: chain "D`:                                 func(c *Catalog) { c.Syncs[0].Object.Chain = strings.Repeat("D", 64) },
		`object: keys "x" is not a SHA-256`:                func(c *Catalog) { c.Syncs[0].Object.Keys = "x" },
		`failure "Two words" since`:                        func(c *Catalog) { c.Syncs[1].Failure.Kind = "Two words" },
		`failure "BundleTooLarge" since 0001-`:             func(c *Catalog) { c.Syncs[1].Failure.Since = time.Time{} },
		"50001 syncs, limit 50000":                         func(c *Catalog) { c.Syncs = make([]Sync, MaxSyncs+1) },
	} {
		c := newCatalog()
		change(&c)
		require.ErrorContains(t, Write(io.Discard, c, s.recipients, s.signer), want)
		_, err := s.read(s.sealed(t, zipped(t, plain(t, c))))
		require.ErrorIs(t, err, archive.ErrMalformed)
		require.ErrorContains(t, err, want)
	}
}

func TestReadRefusesShapes(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	good := plain(t, newCatalog())
	whole := zipped(t, good)
	reversed := newCatalog()
	reversed.Syncs[0], reversed.Syncs[1] = reversed.Syncs[1], reversed.Syncs[0]
	for name, test := range map[string]struct {
		compressed []byte
		want       string
		err        error
	}{
		"not compressed":       {[]byte(good), "invalid header", archive.ErrMalformed},
		"empty":                {nil, "EOF", archive.ErrMalformed},
		"cut":                  {whole[:len(whole)-9], "EOF", archive.ErrMalformed},
		"checksum":             {append(bytes.Clone(whole[:len(whole)-8]), 0, 0, 0, 0, 0, 0, 0, 0), "invalid checksum", archive.ErrMalformed},
		"trailing byte":        {append(bytes.Clone(whole), 0), "data after the gzip stream", archive.ErrMalformed},
		"two streams":          {append(bytes.Clone(whole), whole...), "data after the gzip stream", archive.ErrMalformed},
		"bomb":                 {zipped(t, strings.Repeat(" ", maxPlain+1)), "longer than 67108864 bytes", archive.ErrMalformed},
		"many syncs":           {zipped(t, strings.Replace(plain(t, Catalog{FormatVersion: 1, Syncs: []Sync{}}), "[]", "["+strings.Repeat("{},", 20_000_000)+"{}]", 1)), "50001 syncs, limit 50000", archive.ErrMalformed},
		"deep":                 {zipped(t, `{"format_version":1,"x":`+strings.Repeat("[", 1<<20)), "exceeded max depth", archive.ErrMalformed},
		"no JSON":              {zipped(t, "catalog"), "invalid character", archive.ErrMalformed},
		"data after JSON":      {zipped(t, good+"{}"), "after top-level value", archive.ErrMalformed},
		"no syncs":             {zipped(t, strings.Replace(good, `"syncs":[`, `"syncs":null,"x":[`, 1)), "syncs: not a list", archive.ErrMalformed},
		"not in order":         {zipped(t, plain(t, reversed)), "comes twice, or not in order", archive.ErrMalformed},
		"a number of a string": {zipped(t, strings.Replace(good, `"sequence":`, `"sequence":"1","x":`, 1)), "cannot unmarshal string", archive.ErrMalformed},
		"a later version":      {zipped(t, `{"format_version":2,"syncs":"elsewhere"}`), "unknown format version 2: made by a newer version", archive.ErrVersion},
		"no version":           {zipped(t, `{}`), "unknown format version 0, expected 1", archive.ErrVersion},
	} {
		_, err := s.read(s.sealed(t, test.compressed))
		require.ErrorIs(t, err, test.err, name)
		require.ErrorContains(t, err, test.want, name)
	}
	got, err := s.read(s.sealed(t, zipped(t, strings.Replace(good, `"sequence":`, `"a later member":{},"sequence":`, 1))))
	require.NoError(t, err)
	require.Equal(t, newCatalog(), got)
}

// The signature comes before everything that is in the catalog, a bomb too, and is one of a catalog.
func TestSignatureComesFirst(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	for _, compressed := range [][]byte{zipped(t, plain(t, newCatalog())), zipped(t, strings.Repeat(" ", maxPlain+1)), []byte("no catalog")} {
		manifests, err := s.signer.Sign(compressed)
		require.NoError(t, err)
		others, err := newSide(t).signer.SignCatalog(compressed)
		require.NoError(t, err)
		for _, signature := range [][]byte{manifests, others, {}} {
			_, err := s.read(s.encrypted(t, func(w io.Writer) error { return archive.WriteSigned(w, fileName, compressed, signature, noon) }))
			require.ErrorIsf(t, err, sign.ErrBadSignature, "%.60q", signature)
		}
	}
}
