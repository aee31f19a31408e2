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
	"github.com/app-sre/git-partition-sync/internal/refset"
)

const setContent = "bundle of a set"

var (
	older = refset.List{{Part: "v0", Object: commitA}, {Part: "v1", Object: commitA}}
	newer = refset.List{{Part: "v1", Object: commitA}, {Part: "v2", Object: commitB, Peeled: commitA}}
)

// setManifest describes a snapshot of newer, or the increment that leads from a base to it.
func setManifest(base refset.List) archive.Manifest {
	m := newManifest()
	m.FormatVersion = 2
	m.Destination.Branch = "refs/tags/*"
	m.Commit, m.Base = newer.StateID(), base.StateID()
	m.BindRefs(refset.Diff(base, newer).Encode())
	sum := sha256.Sum256([]byte(setContent))
	m.Size, m.SHA256 = int64(len(setContent)), hex.EncodeToString(sum[:])
	return m
}

func encoded(t require.TestingT, m archive.Manifest) []byte {
	text, err := m.Encode()
	require.NoError(t, err)
	return text
}

// writeSet is an archive with the refs that lead from a base to newer.
func writeSet(t require.TestingT, base refset.List) []byte {
	var b bytes.Buffer
	refs := refset.Diff(base, newer).Encode()
	require.NoError(t, writeAll(&b, encoded(t, setManifest(base)), []byte(signature), refs, nil, strings.NewReader(setContent)))
	return b.Bytes()
}

// refsOf is the member that a reader has read; nil for a branch or tag.
func refsOf(t require.TestingT, a *archive.Reader) []byte {
	refs, err := a.Refs()
	require.NoError(t, err)
	if !a.Manifest.Destination.IsSet() {
		return nil
	}
	return append([]byte{}, refs.Encode()...)
}

func TestRefsRoundTrip(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]refset.List{"snapshot": nil, "increment": older, "increment on its own state": newer} {
		t.Run(name, func(t *testing.T) {
			content := writeSet(t, base)
			a, err := archive.NewReader(iotest.OneByteReader(bytes.NewReader(content)))
			require.NoError(t, err)
			require.Equal(t, setManifest(base), a.Manifest)
			for range 2 {
				refs, err := a.Refs()
				require.NoError(t, err)
				require.Equal(t, refset.Diff(base, newer).Encode(), refs.Encode())
				state, err := a.Manifest.State(base, refs)
				require.NoError(t, err)
				require.Equal(t, newer, state)
			}
			var got bytes.Buffer
			require.NoError(t, a.CopyBundle(&got))
			require.Equal(t, setContent, got.String())

			a, err = archive.NewReader(bytes.NewReader(content))
			require.NoError(t, err)
			require.NoError(t, a.CopyBundle(io.Discard), "whether or not someone looks at the refs")
			require.Equal(t, "manifest.json manifest.json.minisig refs repository.bundle", strings.Join(membersOf(t, content), " "))
		})
	}
}

func membersOf(t *testing.T, content []byte) (names []string) {
	tr := tar.NewReader(bytes.NewReader(content))
	for {
		header, err := tr.Next()
		if err == io.EOF {
			return names
		}
		require.NoError(t, err)
		names = append(names, header.Name)
	}
}

func TestBranchesHaveNoRefs(t *testing.T) {
	t.Parallel()
	a, err := archive.NewReader(bytes.NewReader(write(t, nil, []byte("bundle"))))
	require.NoError(t, err)
	refs, err := a.Refs()
	require.NoError(t, err)
	require.Nil(t, refs)
	require.NoError(t, a.CopyBundle(io.Discard))

	err = writeAll(io.Discard, manifestOf(t, []byte("bundle")), nil, []byte{}, nil, strings.NewReader("bundle"))
	require.EqualError(t, err, "write archive: refs of a branch")
}

func TestManifestOfASet(t *testing.T) {
	t.Parallel()
	m := setManifest(older)
	text := string(encoded(t, m))
	require.Contains(t, text, `"branch": "refs/tags/*"`)
	require.Contains(t, text, `"refs_size": 129,`)
	require.Contains(t, text, `"refs_sha256": "`+m.RefsSHA256+`",`)
	for old, test := range map[string]struct{ new, want string }{
		`"refs_size": 129`:       {`"refs_size": -1`, "refs_size -1 is not from 0 to 67108864"},
		`  "refs_size": 129,`:    {`"refs_size": 67108865,`, "refs_size 67108865 is not"},
		m.RefsSHA256:             {strings.ToUpper(m.RefsSHA256), "is not a SHA-256"},
		`"refs_sha256"`:          {`"other"`, `refs_sha256 "" is not a SHA-256`},
		`refs/tags/*`:            {"refs/tags/v1", "refs_size or refs_sha256 of a tag"},
		`"branch": "refs/tags/*`: {`"branch": "refs/*/tags`, "contains '*' elsewhere"},
		`"format_version": 2`:    {`"format_version": 1`, "format_version 1 is not that of a set of refs"},
	} {
		require.Contains(t, text, old)
		_, err := archive.ParseManifest([]byte(strings.Replace(text, old, test.new, 1)))
		require.ErrorIs(t, err, archive.ErrMalformed, old)
		require.ErrorContains(t, err, test.want)
	}
	m.RefsSize = archive.MaxRefsSize
	_, err := archive.ParseManifest(encoded(t, m))
	require.NoError(t, err)
}

func TestReaderRefusesRefs(t *testing.T) {
	t.Parallel()
	refs := string(newer.Encode())
	bundle := file("repository.bundle", setContent)
	// bound is an archive whose manifest says of the refs what they are.
	bound := func(refs string) []member {
		m := setManifest(nil)
		m.BindRefs([]byte(refs))
		return []member{file("manifest.json", string(encoded(t, m))), file("refs", refs), bundle}
	}
	manifest := bound(refs)[0]
	tests := map[string]struct {
		members []member
		want    string
	}{
		"none":                {[]member{manifest, bundle}, `unexpected member "repository.bundle", not "refs"`},
		"of a branch":         {[]member{file("manifest.json", string(manifestOf(t, []byte(setContent)))), file("refs", refs), bundle}, `unexpected member "refs", not "repository.bundle"`},
		"after the bundle":    {[]member{manifest, bundle, file("refs", refs)}, `unexpected member "repository.bundle", not "refs"`},
		"before the manifest": {[]member{file("refs", refs), manifest, bundle}, `unexpected member "refs", not "manifest.json"`},
		"twice":               {[]member{manifest, file("refs", refs), file("refs", refs), bundle}, `unexpected member "refs", not "repository.bundle"`},
		"no bundle":           {[]member{manifest, file("refs", refs)}, "ends before repository.bundle"},
		"short bundle":        {[]member{manifest, file("refs", refs), file("repository.bundle", setContent[1:])}, "repository.bundle is of 14 bytes, the manifest says 15"},
		"shorter":             {[]member{manifest, file("refs", refs[1:]), bundle}, "refs is of 128 bytes, the manifest says 129"},
		"other":               {[]member{manifest, file("refs", strings.Replace(refs, "v1", "v0", 1)), bundle}, "and SHA-256"},
		"a link":              {[]member{manifest, {header: tar.Header{Name: "refs", Typeflag: tar.TypeSymlink, Linkname: "x"}}, bundle}, "not a file"},
		"no list":             {bound("x"), `"x" is not a line of it`},
		"not in order":        {bound(commitA + " v2\n" + commitA + " v1\n"), "is not in order"},
		"outside of the set":  {bound(commitA + " v1..2\n"), `"refs/tags/v1..2" is no ref of the set "refs/tags/*"`},
		"bad name":            {bound(commitA + " v\u202e\n"), "is no ref of the set"},
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
func TestRefusedRefsGiveNoBundle(t *testing.T) {
	t.Parallel()
	m := setManifest(nil)
	content := tarOf(t, file("manifest.json", string(encoded(t, m))), file("refs", strings.Repeat("x", int(m.RefsSize))), file("repository.bundle", setContent))
	a, err := archive.NewReader(bytes.NewReader(content))
	require.NoError(t, err)
	for range 2 {
		_, err = a.Refs()
		require.ErrorIs(t, err, archive.ErrMalformed)
		var got bytes.Buffer
		require.ErrorIs(t, a.CopyBundle(&got), archive.ErrMalformed)
		require.Zero(t, got.Len())
	}
}

// Before the signature is verified, sizes are words: nothing is read for them.
func TestHugeRefsCostNothingBefore(t *testing.T) {
	t.Parallel()
	m := setManifest(nil)
	m.RefsSize = archive.MaxRefsSize
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	text := encoded(t, m)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "manifest.json", Size: int64(len(text))}))
	_, err := tw.Write(text)
	require.NoError(t, err)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "refs", Size: m.RefsSize}))
	broken := errors.New("read too much")
	a, err := archive.NewReader(io.MultiReader(&b, iotest.ErrReader(broken)))
	require.NoError(t, err)
	_, err = a.Refs()
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, archive.ErrMalformed, "the download's own error")
}

func TestStateRefuses(t *testing.T) {
	t.Parallel()
	snapshot, increment := setManifest(nil), setManifest(older)
	all, difference := refset.Diff(nil, newer), refset.Diff(older, newer)
	for name, test := range map[string]struct {
		of   archive.Manifest
		base refset.List
		refs refset.Difference
		want string
	}{
		"other base":              {increment, newer, difference, "from state \"" + older.StateID()},
		"no base":                 {increment, nil, difference, "from state \"" + older.StateID()},
		"base of a snapshot":      {snapshot, older, all, `from state "", not from "` + older.StateID()},
		"other difference":        {increment, older, difference[:1], "leads to state"},
		"nothing left":            {increment, older, refset.Diff(older, nil), `leads to state "", the manifest says "` + newer.StateID()},
		"not from the base":       {increment, older, refset.Diff(newer, older), `sets "v0" to what it is`},
		"a snapshot that deletes": {snapshot, nil, difference, `deletes "v0", which is not there`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.of.State(test.base, test.refs)
			require.ErrorIs(t, err, archive.ErrMalformed)
			require.ErrorContains(t, err, test.want)
		})
	}
}
