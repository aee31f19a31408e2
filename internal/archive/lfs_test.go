package archive_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

var lfsList = lfs.List{
	{Object: lfs.Object{OID: strings.Repeat("a", 64), Size: 3}},
	{Object: lfs.Object{OID: strings.Repeat("b", 64), Size: 5 << 30}, Missing: true},
}

// lfsManifest describes an increment of a branch that needs the objects of lfsList.
func lfsManifest() archive.Manifest {
	m := newManifest()
	m.FormatVersion = 3
	m.BindLFS(lfsList.Encode())
	sum := sha256.Sum256([]byte(setContent))
	m.Size, m.SHA256 = int64(len(setContent)), hex.EncodeToString(sum[:])
	return m
}

// lfsSetManifest describes an increment of a set that does.
func lfsSetManifest() archive.Manifest {
	m := setManifest(older)
	m.FormatVersion = 3
	m.BindLFS(lfsList.Encode())
	return m
}

func writeLFS(t require.TestingT, m archive.Manifest) []byte {
	var refs []byte
	if m.Destination.IsSet() {
		refs = refset.Diff(older, newer).Encode()
	}
	var b bytes.Buffer
	require.NoError(t, writeAll(&b, encoded(t, m), []byte(signature), refs, lfsList.Encode(), strings.NewReader(setContent)))
	return b.Bytes()
}

// lfsOf is the member that a reader has read; nil where there is none.
func lfsOf(t require.TestingT, a *archive.Reader) []byte {
	list, err := a.LFS()
	require.NoError(t, err)
	if !a.Manifest.HasLFS() {
		return nil
	}
	return list.Encode()
}

func TestLFSRoundTrip(t *testing.T) {
	t.Parallel()
	tag := lfsManifest()
	tag.Destination.Branch = "refs/tags/v1"
	for name, test := range map[string]struct {
		manifest archive.Manifest
		members  string
	}{
		"branch": {lfsManifest(), "manifest.json manifest.json.minisig lfs repository.bundle"},
		"tag":    {tag, "manifest.json manifest.json.minisig lfs repository.bundle"},
		"set":    {lfsSetManifest(), "manifest.json manifest.json.minisig refs lfs repository.bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := writeLFS(t, test.manifest)
			require.Equal(t, test.members, strings.Join(membersOf(t, content), " "))
			a, err := archive.NewReader(iotest.OneByteReader(bytes.NewReader(content)))
			require.NoError(t, err)
			require.Equal(t, test.manifest, a.Manifest)
			for range 2 {
				list, err := a.LFS()
				require.NoError(t, err)
				require.Equal(t, lfsList, list)
			}
			refs, err := a.Refs()
			require.NoError(t, err, "after the list, too")
			require.Equal(t, test.manifest.Destination.IsSet(), len(refs) > 0)
			var got bytes.Buffer
			require.NoError(t, a.CopyBundle(&got))
			require.Equal(t, setContent, got.String())

			a, err = archive.NewReader(bytes.NewReader(content))
			require.NoError(t, err)
			require.NoError(t, a.CopyBundle(io.Discard), "whether or not someone looks at the list")
		})
	}
}

// The bytes of an object with LFS objects are what the two sides agree on, whatever release each of them is.
func TestGoldenLFS(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256(writeLFS(t, lfsManifest()))
	require.Equal(t, "acb6bbd1a130803ce70bf2f8e8605ceeccb4e57a3f555beeb3416994a378492c", hex.EncodeToString(sum[:]))
	sum = sha256.Sum256(writeLFS(t, lfsSetManifest()))
	require.Equal(t, "726cd56d69b2ae4e98d1396cc0c09aee27fcd26776b2a327d76f269e34682697", hex.EncodeToString(sum[:]))
}

// What needs no LFS objects is what releases of before write and read, byte for byte.
func TestWithoutLFSNothingChanges(t *testing.T) {
	t.Parallel()
	m := newManifest()
	m.BindLFS(lfs.NewList(nil).Encode())
	require.Equal(t, newManifest(), m)
	require.Equal(t, manifestText, string(encoded(t, m)))

	a, err := archive.NewReader(bytes.NewReader(write(t, nil, []byte("bundle"))))
	require.NoError(t, err)
	list, err := a.LFS()
	require.NoError(t, err)
	require.Nil(t, list)
	require.NoError(t, a.CopyBundle(io.Discard))
}

func TestWriteRefusesLists(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		manifest []byte
		list     []byte
		want     string
	}{
		"of none":  {manifestOf(t, []byte(setContent)), []byte{}, "a list of LFS objects that the manifest does not have"},
		"left out": {encoded(t, lfsManifest()), nil, "lfs is of 0 bytes and SHA-256 , the manifest says 151 and"},
		"other":    {encoded(t, lfsManifest()), lfsList[:1].Encode(), "lfs is of 67 bytes and SHA-256"},
	} {
		err := writeAll(io.Discard, test.manifest, nil, nil, test.list, strings.NewReader(setContent))
		require.ErrorContains(t, err, "write archive: ", name)
		require.ErrorContains(t, err, test.want, name)
	}
}

func TestManifestWithLFS(t *testing.T) {
	t.Parallel()
	m := lfsManifest()
	text := string(encoded(t, m))
	require.Contains(t, text, `"lfs_size": 151,`)
	require.Contains(t, text, `"lfs_sha256": "`+m.LFSSHA256+`",`)
	for old, test := range map[string]struct{ new, want string }{
		`"lfs_size": 151`:     {`"lfs_size": -1`, "lfs_size -1 is not from 1 to 67108864"},
		`  "lfs_size": 151,`:  {"", "lfs_size 0 is not from 1"},
		`"lfs_size": 151,`:    {`"lfs_size": 67108865,`, "lfs_size 67108865 is not"},
		m.LFSSHA256:           {strings.ToUpper(m.LFSSHA256), "is not a SHA-256"},
		`"lfs_sha256"`:        {`"other"`, `lfs_sha256 "" is not a SHA-256`},
		`"format_version": 3`: {`"format_version": 1`, "format_version 1 is not that of a branch with LFS objects"},
		`"lfs_size": 151,` + "\n  " + `"lfs_sha256"`: {`"other"`, "format_version 3 is not that of a branch"},
	} {
		require.Contains(t, text, old)
		_, err := archive.ParseManifest([]byte(strings.Replace(text, old, test.new, 1)))
		require.ErrorIs(t, err, archive.ErrMalformed, old)
		require.ErrorContains(t, err, test.want)
	}
	m.LFSSize = lfs.MaxListSize
	_, err := archive.ParseManifest(encoded(t, m))
	require.NoError(t, err)
}

func TestReaderRefusesLFS(t *testing.T) {
	t.Parallel()
	list := string(lfsList.Encode())
	bundle := file("repository.bundle", setContent)
	// boundTo is an archive whose manifest says of the list what it is.
	boundTo := func(list string) []member {
		m := lfsManifest()
		m.BindLFS([]byte(list))
		return []member{file("manifest.json", string(encoded(t, m))), file("lfs", list), bundle}
	}
	manifest := boundTo(list)[0]
	refs := file("refs", string(refset.Diff(older, newer).Encode()))
	ofSet := file("manifest.json", string(encoded(t, lfsSetManifest())))
	tests := map[string]struct {
		members []member
		want    string
	}{
		"none":             {[]member{manifest, bundle}, `unexpected member "repository.bundle", not "lfs"`},
		"unannounced":      {[]member{file("manifest.json", string(manifestOf(t, []byte(setContent)))), file("lfs", list), bundle}, `unexpected member "lfs", not "repository.bundle"`},
		"after the bundle": {[]member{manifest, bundle, file("lfs", list)}, `unexpected member "repository.bundle", not "lfs"`},
		"before the refs":  {[]member{ofSet, file("lfs", list), refs, bundle}, `unexpected member "lfs", not "refs"`},
		"refs without":     {[]member{ofSet, refs, bundle}, `unexpected member "repository.bundle", not "lfs"`},
		"refs of a branch": {[]member{manifest, refs, file("lfs", list), bundle}, `unexpected member "refs", not "lfs"`},
		"twice":            {[]member{manifest, file("lfs", list), file("lfs", list), bundle}, `unexpected member "lfs", not "repository.bundle"`},
		"no bundle":        {[]member{manifest, file("lfs", list)}, "ends before repository.bundle"},
		"short bundle":     {[]member{manifest, file("lfs", list), file("repository.bundle", setContent[1:])}, "repository.bundle is of 14 bytes, the manifest says 15"},
		"shorter":          {[]member{manifest, file("lfs", list[1:]), bundle}, "lfs is of 150 bytes, the manifest says 151"},
		"other":            {[]member{manifest, file("lfs", strings.Replace(list, " 3\n", " 4\n", 1)), bundle}, "and SHA-256"},
		"a link":           {[]member{manifest, {header: tar.Header{Name: "lfs", Typeflag: tar.TypeSymlink, Linkname: "x"}}, bundle}, "not a file"},
		"no list":          {boundTo("x"), `"x" is none of a list`},
		"not in order":     {boundTo(list[67:] + list[:67]), "is not sorted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := read(bytes.NewReader(tarOf(t, test.members...)))
			require.ErrorIs(t, err, archive.ErrMalformed)
			require.ErrorContains(t, err, test.want)
			require.Less(t, len(err.Error()), 400)
			require.Equal(t, 1, strings.Count(err.Error(), "read archive"), "said once")
		})
	}
}

// What has been refused once stays refused, whoever goes on to read.
func TestRefusedListGivesNoBundle(t *testing.T) {
	t.Parallel()
	m := lfsManifest()
	content := tarOf(t, file("manifest.json", string(encoded(t, m))), file("lfs", strings.Repeat("x", int(m.LFSSize))), file("repository.bundle", setContent))
	a, err := archive.NewReader(bytes.NewReader(content))
	require.NoError(t, err)
	for range 2 {
		_, err = a.LFS()
		require.ErrorIs(t, err, archive.ErrMalformed)
		var got bytes.Buffer
		require.ErrorIs(t, a.CopyBundle(&got), archive.ErrMalformed)
		require.Zero(t, got.Len())
	}
}

// Before the signature is verified, sizes are words: nothing is read for them.
func TestHugeListCostsNothingBefore(t *testing.T) {
	t.Parallel()
	m := lfsManifest()
	m.LFSSize = lfs.MaxListSize
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	text := encoded(t, m)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "manifest.json", Size: int64(len(text))}))
	_, err := tw.Write(text)
	require.NoError(t, err)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "lfs", Size: m.LFSSize}))
	broken := errors.New("read too much")
	a, err := archive.NewReader(io.MultiReader(&b, iotest.ErrReader(broken)))
	require.NoError(t, err)
	_, err = a.LFS()
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, archive.ErrMalformed, "the download's own error")
}
