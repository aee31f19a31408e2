package archive_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
)

const signature = "untrusted comment: x\nsignature\n"

// manifestOf returns the encoded manifest of a bundle.
func manifestOf(t require.TestingT, bundle []byte) []byte {
	m := newManifest()
	sum := sha256.Sum256(bundle)
	m.Size, m.SHA256 = int64(len(bundle)), hex.EncodeToString(sum[:])
	text, err := m.Encode()
	require.NoError(t, err)
	return text
}

func write(t require.TestingT, signature, bundle []byte) []byte {
	var b bytes.Buffer
	require.NoError(t, writeAll(&b, manifestOf(t, bundle), signature, nil, nil, bytes.NewReader(bundle)))
	return b.Bytes()
}

// writeAll writes an archive with these members.
func writeAll(w io.Writer, manifest, signature, refs, lfsList []byte, bundle io.Reader) error {
	var head bytes.Buffer
	if err := archive.WriteHead(&head, manifest, signature, refs, lfsList); err != nil {
		return err
	}
	return archive.Write(w, &head, bundle)
}

// read reads all of an archive, and returns the first error.
func read(r io.Reader) error {
	a, err := archive.NewReader(r)
	if err != nil {
		return err
	}
	return a.CopyBundle(io.Discard)
}

func TestRoundTrip(t *testing.T) {
	for _, size := range []int{1, 511, 512, 513, 100_000} {
		for _, sig := range [][]byte{nil, []byte(signature)} {
			bundle := bytes.Repeat([]byte("x"), size)
			a, err := archive.NewReader(iotest.OneByteReader(bytes.NewReader(write(t, sig, bundle))))
			require.NoError(t, err)
			require.Equal(t, manifestOf(t, bundle), a.ManifestBytes)
			require.Equal(t, sig, a.Signature)
			require.Equal(t, commitA, a.Manifest.Commit)

			var got bytes.Buffer
			require.NoError(t, a.CopyBundle(&got))
			require.Equal(t, bundle, got.Bytes())

			a, err = archive.NewReader(bytes.NewReader(write(t, sig, bundle)))
			require.NoError(t, err)
			unverified, err := a.Bundle()
			require.NoError(t, err)
			content, err := io.ReadAll(iotest.OneByteReader(unverified))
			require.NoError(t, err)
			require.Equal(t, bundle, content)
		}
	}
}

func TestWriteIsDeterministicAndAnonymous(t *testing.T) {
	content := write(t, []byte(signature), []byte("bundle"))
	require.Equal(t, content, write(t, []byte(signature), []byte("bundle")))

	tr := tar.NewReader(bytes.NewReader(content))
	for _, name := range []string{"manifest.json", "manifest.json.minisig", "repository.bundle"} {
		h, err := tr.Next()
		require.NoError(t, err)
		require.Equal(t, name, h.Name)
		require.EqualValues(t, 0o644, h.Mode)
		require.Zero(t, h.Uid)
		require.Zero(t, h.Gid)
		require.Empty(t, h.Uname+h.Gname)
		require.True(t, newManifest().CreatedAt.Equal(h.ModTime))
		require.Equal(t, tar.FormatUSTAR, h.Format)
	}
	_, err := tr.Next()
	require.Equal(t, io.EOF, err)
}

// Without the blocks of zeros at its end, an archive is still one to the tools that recover it.
func TestSystemTar(t *testing.T) {
	content := write(t, []byte(signature), []byte("bundle"))
	require.Zero(t, len(content)%512)
	for _, tar := range [][]string{{"tar"}, {"bsdtar"}, {"busybox", "tar"}} {
		t.Run(tar[0], func(t *testing.T) {
			if _, err := exec.LookPath(tar[0]); err != nil && tar[0] != "tar" {
				t.Skip("not installed")
			}
			dir := t.TempDir()
			cmd := exec.Command(tar[0], append(tar[1:], "-x", "-f", "-", "-C", dir)...)
			cmd.Stdin = bytes.NewReader(content)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err)
			require.Empty(t, string(out), "nothing to warn of")
			bundle, err := os.ReadFile(filepath.Join(dir, "repository.bundle"))
			require.NoError(t, err)
			require.Equal(t, "bundle", string(bundle))
		})
	}
}

func TestReaderTakesWhatSystemTarMakes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), manifestOf(t, []byte("bundle")), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "repository.bundle"), []byte("bundle"), 0o600))
	for _, format := range []string{"ustar", "pax", "gnu"} {
		made, err := exec.Command("tar", "c", "--format="+format, "-C", dir, "manifest.json", "repository.bundle").Output()
		require.NoError(t, err)
		require.NoError(t, read(bytes.NewReader(made)), format)
	}
}

func TestWriteRefuses(t *testing.T) {
	manifest := manifestOf(t, []byte("bundle"))
	broken := errors.New("broken disk")
	tests := map[string]struct {
		manifest, signature []byte
		bundle              io.Reader
		want                string
	}{
		"bad manifest":   {[]byte("{}"), nil, strings.NewReader("bundle"), "unknown format version"},
		"long signature": {manifest, make([]byte, 4097), strings.NewReader("bundle"), "signature: 4097 bytes, limit 4096"},
		"short bundle":   {manifest, nil, strings.NewReader("bundl"), "not of the manifest's size, 6 bytes"},
		"long bundle":    {manifest, nil, strings.NewReader("bundles"), "not of the manifest's size, 6 bytes"},
		"other bundle":   {manifest, nil, strings.NewReader("BUNDLE"), "the SHA-256 of repository.bundle is"},
		"broken bundle":  {manifest, nil, iotest.ErrReader(broken), "broken disk"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := writeAll(io.Discard, test.manifest, test.signature, nil, nil, test.bundle)
			require.ErrorContains(t, err, test.want)
		})
	}
}

// full takes n bytes and fails then, as a disk does.
type full struct {
	content bytes.Buffer
	n       int
}

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.content.Len()+len(p) > f.n {
		return 0, errFull
	}
	return f.content.Write(p)
}

func TestWriteOver8GiB(t *testing.T) {
	m := newManifest()
	m.Size = 9 << 30
	text, err := m.Encode()
	require.NoError(t, err)
	w := &full{n: 8192}
	err = writeAll(w, text, nil, nil, nil, endless{})
	require.ErrorIs(t, err, errFull)

	a, err := archive.NewReader(io.MultiReader(&w.content, endless{}))
	require.NoError(t, err)
	require.Equal(t, m, a.Manifest)
}

// Wherever the disk is full, the archive has not been written.
func TestWriteReportsEveryWriteError(t *testing.T) {
	bundle := []byte("bundle")
	var head bytes.Buffer
	require.NoError(t, archive.WriteHead(&head, manifestOf(t, bundle), []byte(signature), nil, nil))
	for room := range len(write(t, []byte(signature), bundle)) {
		err := archive.Write(&full{n: room}, bytes.NewReader(head.Bytes()), bytes.NewReader(bundle))
		require.ErrorIs(t, err, errFull, "after %d bytes", room)
		require.NotErrorIs(t, err, archive.ErrMalformed, "after %d bytes", room)
	}
	for room := range head.Len() {
		err := archive.WriteHead(&full{n: room}, manifestOf(t, bundle), []byte(signature), nil, nil)
		require.ErrorIs(t, err, errFull, "after %d bytes", room)
	}
}

// A head that is cut off, or none, makes no archive.
func TestWriteRefusesHeads(t *testing.T) {
	bundle := []byte("bundle")
	var head bytes.Buffer
	require.NoError(t, archive.WriteHead(&head, manifestOf(t, bundle), []byte(signature), nil, nil))
	for n := range head.Len() {
		err := archive.Write(io.Discard, bytes.NewReader(head.Bytes()[:n]), bytes.NewReader(bundle))
		require.ErrorIs(t, err, archive.ErrMalformed, "%d bytes", n)
	}
	broken := errors.New("broken disk")
	for n := range head.Len() + 1 {
		err := archive.Write(io.Discard, io.MultiReader(bytes.NewReader(head.Bytes()[:n]), iotest.ErrReader(broken)), bytes.NewReader(bundle))
		require.ErrorIs(t, err, broken, "%d bytes", n)
	}
}

// What may be largest in every member, and padded as stock tar does it, is still an archive.
func TestLargestMembers(t *testing.T) {
	bundle := []byte("bundle")
	manifest := manifestOf(t, bundle)
	manifest = append(bytes.Repeat([]byte(" "), 64<<10-len(manifest)), manifest...)
	largest := bytes.Repeat([]byte("s"), 4<<10)
	var b bytes.Buffer
	require.NoError(t, writeAll(&b, manifest, largest, nil, nil, bytes.NewReader(bundle)))
	b.Write(make([]byte, 20<<10))
	a, err := archive.NewReader(&b)
	require.NoError(t, err)
	require.Len(t, a.ManifestBytes, 64<<10)
	require.Len(t, a.Signature, 4<<10)
	require.NoError(t, a.CopyBundle(io.Discard))
}

func TestCopyBundleKeepsWriteErrors(t *testing.T) {
	for _, n := range []int{0, 40_000} {
		a, err := archive.NewReader(bytes.NewReader(write(t, nil, make([]byte, 100_000))))
		require.NoError(t, err)
		err = a.CopyBundle(&full{n: n})
		require.ErrorIs(t, err, errFull)
		require.NotErrorIs(t, err, archive.ErrMalformed)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
