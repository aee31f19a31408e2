package catalog

import (
	"bytes"
	"io"
	"testing"

	"aead.dev/minisign"
	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// fixedSigner is the same in all the processes that fuzz, so that what one of them has signed verifies in the others.
func fixedSigner(t testing.TB) sign.Signer {
	t.Helper()
	_, key, err := minisign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 100)))
	require.NoError(t, err)
	text, err := key.MarshalText()
	require.NoError(t, err)
	signer, err := sign.ParseSigner(string(text))
	require.NoError(t, err)
	return signer
}

// FuzzCatalog reads made-up tars, encrypted as objects are. None gets past the signature but that of the one that was
// signed.
func FuzzCatalog(f *testing.F) {
	s := newSide(f)
	s.signer = fixedSigner(f)
	compressed := zipped(f, plain(f, newCatalog()))
	catalogs, err := s.signer.SignCatalog(compressed)
	require.NoError(f, err)
	manifests, err := s.signer.Sign(compressed)
	require.NoError(f, err)
	for _, signature := range [][]byte{catalogs, manifests, nil} {
		var tar bytes.Buffer
		require.NoError(f, archive.WriteSigned(&tar, fileName, compressed, signature, noon))
		f.Add(tar.Bytes())
		f.Add(tar.Bytes()[:tar.Len()-1])
	}
	want := newCatalog()
	f.Fuzz(func(t *testing.T, tar []byte) {
		object := s.encrypted(t, func(w io.Writer) error { _, err := w.Write(tar); return err })
		got, err := Read(bytes.NewReader(object), []age.Identity{s.identity}, s.signer.Verifier(), s.here)
		if err != nil {
			require.Equal(t, Catalog{}, got, "nothing of what is refused is told")
			return
		}
		require.Equal(t, want, got)
	})
}

// FuzzCatalogJSON reads what a producer with the right key may have signed. What is read is valid, and stays the same
// when it is written again.
func FuzzCatalogJSON(f *testing.F) {
	f.Add(plain(f, newCatalog()))
	f.Add(plain(f, Catalog{FormatVersion: 1, Sequence: noon.UnixMilli(), CreatedAt: noon, IntervalSeconds: 60, Syncs: []Sync{}}))
	f.Add(`{"format_version":1,"syncs":[{},{}]}`)
	f.Add(`{"format_version":2}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parse(zipped(t, text))
		if err != nil {
			require.Equal(t, Catalog{}, got)
			return
		}
		again, err := got.encode()
		require.NoError(t, err)
		same, err := parse(again)
		require.NoError(t, err)
		require.Equal(t, plain(t, got), plain(t, same))
		for _, s := range got.Syncs {
			found, ok := got.Sync(s.Destination)
			require.True(t, ok)
			require.Equal(t, s, found)
		}
	})
}
