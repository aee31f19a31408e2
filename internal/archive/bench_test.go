package archive_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
)

// BenchmarkObject makes an object of a bundle of 64 MiB, and reads it, as the steps do from disk to disk.
func BenchmarkObject(b *testing.B) {
	const size = 64 << 20
	identity, err := age.GenerateX25519Identity()
	require.NoError(b, err)
	bundle := make([]byte, size)
	var head bytes.Buffer
	require.NoError(b, archive.WriteHead(&head, manifestOf(b, bundle), []byte(signature), nil, nil))
	dir := b.TempDir()
	source, err := os.Create(filepath.Join(dir, "repository.bundle"))
	require.NoError(b, err)
	defer source.Close()
	_, err = source.Write(bundle)
	require.NoError(b, err)
	object, err := os.Create(filepath.Join(dir, "object"))
	require.NoError(b, err)
	defer object.Close()

	b.Run("make", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			_, err := object.Seek(0, io.SeekStart)
			require.NoError(b, err)
			w, err := crypt.Encrypt(object, []age.Recipient{identity.Recipient()})
			require.NoError(b, err)
			require.NoError(b, archive.Write(w, bytes.NewReader(head.Bytes()), io.NewSectionReader(source, 0, size)))
			require.NoError(b, w.Close())
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		info, err := object.Stat()
		require.NoError(b, err)
		for b.Loop() {
			plaintext, err := crypt.DecryptAt(object, info.Size(), []age.Identity{identity})
			require.NoError(b, err)
			a, err := archive.NewReader(plaintext)
			require.NoError(b, err)
			require.NoError(b, a.CopyBundle(io.Discard))
		}
	})
}
