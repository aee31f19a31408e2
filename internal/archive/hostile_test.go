package archive_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
)

// member is one of a hostile archive; its header's size is the content's.
type member struct {
	header  tar.Header
	content string
}

func file(name, content string) member { return member{tar.Header{Name: name}, content} }

func tarOf(t require.TestingT, members ...member) []byte {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, m := range members {
		m.header.Size = int64(len(m.content))
		require.NoError(t, tw.WriteHeader(&m.header))
		_, err := io.WriteString(tw, m.content)
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	return b.Bytes()
}

func TestReaderRefusesMembers(t *testing.T) {
	manifest := file("manifest.json", string(manifestOf(t, []byte("bundle"))))
	minisig := file("manifest.json.minisig", signature)
	bundle := file("repository.bundle", "bundle")
	link := func(name string, kind byte) member {
		return member{header: tar.Header{Name: name, Typeflag: kind, Linkname: "/etc/passwd"}}
	}
	tests := map[string]struct {
		members []member
		want    string
	}{
		"empty":              {nil, "ends before repository.bundle"},
		"no bundle":          {[]member{manifest}, "ends before repository.bundle"},
		"no bundle, signed":  {[]member{manifest, minisig}, "ends before repository.bundle"},
		"bundle first":       {[]member{bundle, manifest}, `unexpected member "repository.bundle", not "manifest.json"`},
		"two manifests":      {[]member{manifest, manifest, bundle}, `unexpected member "manifest.json"`},
		"two signatures":     {[]member{manifest, minisig, minisig, bundle}, `unexpected member "manifest.json.minisig"`},
		"signature last":     {[]member{manifest, bundle, minisig}, `unexpected member "manifest.json.minisig" after`},
		"two bundles":        {[]member{manifest, bundle, bundle}, `unexpected member "repository.bundle" after`},
		"other path":         {[]member{manifest, file("../repository.bundle", "bundle")}, `unexpected member "../repository.bundle"`},
		"dot path":           {[]member{file("./manifest.json", "{}")}, `unexpected member "./manifest.json"`},
		"empty manifest":     {[]member{file("manifest.json", ""), bundle}, "manifest: unexpected end"},
		"huge manifest":      {[]member{file("manifest.json", strings.Repeat(" ", 64<<10+1)), bundle}, "limit 65536"},
		"huge signature":     {[]member{manifest, file("manifest.json.minisig", strings.Repeat(" ", 4097)), bundle}, "limit 4096"},
		"directory":          {[]member{{header: tar.Header{Name: "manifest.json/", Typeflag: tar.TypeDir}}}, "not a file"},
		"symlink":            {[]member{manifest, link("repository.bundle", tar.TypeSymlink)}, "not a file"},
		"symlink signature":  {[]member{manifest, link("manifest.json.minisig", tar.TypeSymlink), bundle}, "not a file"},
		"hard link manifest": {[]member{link("manifest.json", tar.TypeLink), bundle}, "not a file"},
		"device":             {[]member{manifest, link("repository.bundle", tar.TypeBlock)}, "not a file"},
		"global header":      {[]member{{header: tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}}}, "not a file"},
		"short bundle":       {[]member{manifest, file("repository.bundle", "bundl")}, "is of 5 bytes, the manifest says 6"},
		"long bundle":        {[]member{manifest, file("repository.bundle", "bundle!")}, "is of 7 bytes, the manifest says 6"},
		"other bundle":       {[]member{manifest, file("repository.bundle", "BUNDLE")}, "the SHA-256 of repository.bundle is"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := read(bytes.NewReader(tarOf(t, test.members...)))
			require.ErrorIs(t, err, archive.ErrMalformed)
			require.ErrorContains(t, err, test.want)
			require.Less(t, len(err.Error()), 400)
			require.Equal(t, 1, strings.Count(err.Error(), archive.ErrMalformed.Error()), "said once")
		})
	}
}

func TestReaderReportsVersion(t *testing.T) {
	err := read(bytes.NewReader(tarOf(t, file("manifest.json", `{"format_version": 4}`))))
	require.ErrorIs(t, err, archive.ErrVersion)
	require.NotErrorIs(t, err, archive.ErrMalformed)
}

// A terabyte that is a few blocks in the archive.
func TestReaderRefusesSparseBundles(t *testing.T) {
	const size = 1 << 40
	m := newManifest()
	m.Size = size
	text, err := m.Encode()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), text, 0o600))
	bundle, err := os.Create(filepath.Join(dir, "repository.bundle"))
	require.NoError(t, err)
	require.NoError(t, bundle.Truncate(size))
	require.NoError(t, bundle.Close())

	tests := map[string]struct {
		options []string
		want    string
	}{
		"GNU":     {[]string{"--format=gnu"}, "of tar type 'S'"},
		"PAX 0.0": {[]string{"--format=pax", "--sparse-version=0.0"}, "is sparse"},
		"PAX 0.1": {[]string{"--format=pax", "--sparse-version=0.1"}, "is sparse"},
		"PAX 1.0": {[]string{"--format=pax", "--sparse-version=1.0"}, "is sparse"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			content, err := exec.Command("tar", append(test.options, "-c", "--sparse", "-C", dir, "manifest.json", "repository.bundle")...).Output()
			require.NoError(t, err)
			require.Less(t, len(content), 1<<20)
			_, err = archive.NewReader(bytes.NewReader(content))
			require.ErrorIs(t, err, archive.ErrMalformed)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestReaderRefusesTruncation(t *testing.T) {
	content := write(t, []byte(signature), make([]byte, 2048))
	for n := 0; n < len(content); n += 61 {
		err := read(bytes.NewReader(content[:n]))
		require.ErrorIs(t, err, archive.ErrMalformed, "%d of %d bytes", n, len(content))
	}
}

func TestReaderBoundsWhatFollows(t *testing.T) {
	content := write(t, nil, []byte("bundle"))
	end := make([]byte, 1024) // as stock tar marks it
	tests := map[string]struct {
		tail io.Reader
		want string
	}{
		"end":                          {bytes.NewReader(end), ""},
		"padding of stock tar":         {bytes.NewReader(make([]byte, 20*512)), ""},
		"garbage":                      {strings.NewReader("x"), "truncated"},
		"garbage after the end":        {io.MultiReader(bytes.NewReader(end), strings.NewReader("x")), "data after the end"},
		"second archive":               {bytes.NewReader(content), `unexpected member "manifest.json" after repository.bundle`},
		"second archive after the end": {io.MultiReader(bytes.NewReader(end), bytes.NewReader(content)), "data after the end"},
		"endless":                      {endless{}, "longer than its manifest allows"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := read(io.MultiReader(bytes.NewReader(content), test.tail))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, archive.ErrMalformed)
			require.ErrorContains(t, err, test.want)
		})
	}
}

// repeat yields the same bytes forever.
type repeat struct {
	content []byte
	offset  int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.content[r.offset:])
	r.offset = (r.offset + n) % len(r.content)
	return n, nil
}

func TestReaderStopsEndlessHeaders(t *testing.T) {
	long := tarOf(t, member{header: tar.Header{Name: strings.Repeat("n", 300), Format: tar.FormatPAX}})
	_, err := archive.NewReader(&repeat{content: long[:1024]}) // the extended header alone
	require.ErrorIs(t, err, archive.ErrMalformed)
	require.ErrorContains(t, err, "longer than its manifest allows")
}

func TestReaderKeepsReadErrors(t *testing.T) {
	content := write(t, []byte(signature), make([]byte, 2000))
	for _, want := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for n := 0; n <= len(content); n += 61 {
			err := read(io.MultiReader(bytes.NewReader(content[:n]), iotest.ErrReader(want)))
			require.ErrorIs(t, err, want)
			require.NotErrorIs(t, err, archive.ErrMalformed, "%d of %d bytes", n, len(content))
		}
	}
}

func TestReaderKeepsCorruption(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	var object bytes.Buffer
	w, err := crypt.Encrypt(&object, []age.Recipient{identity.Recipient()})
	require.NoError(t, err)
	_, err = w.Write(write(t, nil, make([]byte, 300_000)))
	require.NoError(t, err)
	require.NoError(t, w.Close())

	for _, n := range []int{1000, 100_000, object.Len() - 1} {
		plaintext, err := crypt.Decrypt(bytes.NewReader(object.Bytes()[:n]), []age.Identity{identity})
		require.NoError(t, err)
		err = read(plaintext)
		require.ErrorIs(t, err, crypt.ErrCorrupt, "%d of %d bytes", n, object.Len())
		require.NotErrorIs(t, err, archive.ErrMalformed)
	}
}

func FuzzReader(f *testing.F) {
	content := write(f, []byte(signature), []byte("bundle"))
	f.Add(content)
	f.Add(append(content, make([]byte, 1024)...))
	f.Add(content[:len(content)-1])
	f.Add(write(f, nil, make([]byte, 600)))
	f.Add(writeSet(f, nil))
	f.Add(writeSet(f, older))
	f.Add(writeLFS(f, lfsManifest()))
	f.Add(writeLFS(f, lfsSetManifest()))
	f.Add(tarOf(f, file("manifest.json", manifestText), member{header: tar.Header{Name: "repository.bundle", Typeflag: tar.TypeSymlink, Linkname: "x"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := archive.NewReader(bytes.NewReader(data))
		if err == nil {
			var bundle bytes.Buffer
			if err = a.CopyBundle(&bundle); err == nil {
				require.EqualValues(t, a.Manifest.Size, bundle.Len())
				var again bytes.Buffer
				require.NoError(t, writeAll(&again, a.ManifestBytes, a.Signature, refsOf(t, a), lfsOf(t, a), &bundle))
				return
			}
		}
		require.True(t, errors.Is(err, archive.ErrMalformed) || errors.Is(err, archive.ErrVersion), "%v", err)
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(manifestText))
	f.Add([]byte(`{"format_version": 2}`))
	f.Add(encoded(f, setManifest(older)))
	f.Add(encoded(f, lfsManifest()))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := archive.ParseManifest(data)
		if err != nil {
			require.True(t, errors.Is(err, archive.ErrMalformed) || errors.Is(err, archive.ErrVersion), "%v", err)
			return
		}
		_, err = m.Encode()
		require.NoError(t, err)
	})
}
