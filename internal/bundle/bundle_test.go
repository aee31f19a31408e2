package bundle_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	first   = "# v2 git bundle\n"
)

func read(text string) (object.ID, int64, error) {
	return bundle.ReadHeader(bufio.NewReader(strings.NewReader(text)), router)
}

var router = project.Branch{Group: "platform", Name: "router"}

func id(branch, commit, base string) object.ID {
	return object.ID{Destination: project.Branch{Group: "platform", Name: "router", Branch: branch}, Commit: commit, Base: base}
}

func TestEncode(t *testing.T) {
	snapshot, err := bundle.EncodeHeader(id("a/b", commitA, ""))
	require.NoError(t, err)
	require.Equal(t, first+commitA+" HEAD\n"+commitA+" refs/heads/a/b\n\n", string(snapshot))

	increment, err := bundle.EncodeHeader(id("a/b", commitA, commitB))
	require.NoError(t, err)
	require.Equal(t, first+"-"+commitB+" \n"+commitA+" HEAD\n"+commitA+" refs/heads/a/b\n\n", string(increment))
}

// A tag object is neither HEAD nor a prerequisite to git.
func TestEncodeTag(t *testing.T) {
	for _, base := range []string{"", commitB} {
		text, err := bundle.EncodeHeader(id("refs/tags/v1", commitA, base))
		require.NoError(t, err)
		require.Equal(t, first+commitA+" refs/tags/v1\n\n", string(text))
		got, _, err := read(string(text))
		require.NoError(t, err)
		require.Equal(t, id("refs/tags/v1", commitA, ""), got)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for want, h := range map[string]object.ID{
		`branch "a\nb"`: id("a\nb", commitA, ""),
		`commit "abc"`:  id("a", "abc", ""),
		`base "x"`:      id("a", commitA, "x"),
	} {
		_, err := bundle.EncodeHeader(h)
		require.ErrorContains(t, err, want)
	}
}

func TestReadHeaderLeavesThePack(t *testing.T) {
	for _, h := range []object.ID{
		id("main", commitA, ""),
		id("größe", commitA, commitB),
	} {
		text, err := bundle.EncodeHeader(h)
		require.NoError(t, err)
		r := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(text), strings.NewReader("PACK\n\n")), 16)

		got, size, err := bundle.ReadHeader(r, router)
		require.NoError(t, err)
		require.Equal(t, h, got)
		require.EqualValues(t, len(text), size)
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "PACK\n\n", string(rest))
	}
}

func TestReadHeaderAccepts(t *testing.T) {
	want := id("main", commitA, "")
	for name, text := range map[string]string{
		"no HEAD":   commitA + " refs/heads/main\n\n",
		"HEAD last": commitA + " refs/heads/main\n" + commitA + " HEAD\n\n",
	} {
		got, _, err := read(first + text)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	want.Base = commitB
	for _, comment := range []string{"", " ", " Merge: what git writes"} {
		got, _, err := read(first + "-" + commitB + comment + "\n" + commitA + " refs/heads/main\n\n")
		require.NoError(t, err, comment)
		require.Equal(t, want, got, comment)
	}
}

func TestReadHeaderRefuses(t *testing.T) {
	main := commitA + " refs/heads/main\n"
	tests := map[string]struct{ text, want string }{
		"empty":                   {"", "truncated after 0 bytes"},
		"truncated":               {first + main, "truncated after 73 bytes"},
		"version 3":               {"# v3 git bundle\n@object-format=sha1\n" + main + "\n", "first line"},
		"a pack":                  {"PACK\x00\x00\x00\x02\n", "first line"},
		"capability":              {first + "@object-format=sha256\n" + main + "\n", "unexpected reference"},
		"no reference":            {first + "\n", `commit ""`},
		"HEAD only":               {first + commitA + " HEAD\n\n", "HEAD is"},
		"two branches":            {first + main + commitA + " refs/heads/b\n\n", "unexpected reference"},
		"branch twice":            {first + main + main + "\n", "unexpected reference"},
		"HEAD twice":              {first + main + commitA + " HEAD\n" + commitA + " HEAD\n\n", "unexpected reference"},
		"tag":                     {first + main + commitA + " refs/tags/v1\n\n", "unexpected reference"},
		"tag and HEAD":            {first + commitA + " HEAD\n" + commitA + " refs/tags/v1\n\n", "with HEAD or a prerequisite"},
		"tag and prerequisite":    {first + "-" + commitB + " \n" + commitA + " refs/tags/v1\n\n", "with HEAD or a prerequisite"},
		"two tags":                {first + commitA + " refs/tags/v1\n" + commitA + " refs/tags/v2\n\n", "unexpected reference"},
		"short name":              {first + commitA + " main\n\n", "unexpected reference"},
		"notes":                   {first + commitA + " refs/notes/commits\n\n", "unexpected reference"},
		"branch like a tag":       {first + commitA + " refs/heads/refs/tags/v1\n\n", "unexpected reference"},
		"bad tag":                 {first + commitA + " refs/tags/v..1\n\n", `branch "refs/tags/v..1"`},
		"HEAD elsewhere":          {first + commitB + " HEAD\n" + main + "\n", "HEAD is"},
		"two prerequisites":       {first + "-" + commitB + "\n-" + commitB + "\n" + main + "\n", "unexpected prerequisite"},
		"empty prerequisite":      {first + "- \n" + main + "\n", "unexpected prerequisite"},
		"prerequisite after ref":  {first + main + "-" + commitB + "\n\n", "unexpected prerequisite"},
		"prerequisite after HEAD": {first + commitA + " HEAD\n-" + commitB + "\n" + main + "\n", "unexpected prerequisite"},
		"HEAD without a commit":   {first + " HEAD\n" + main + "\n", "unexpected reference"},
		"SHA-256":                 {first + commitA + commitA[:24] + " refs/heads/main\n\n", "is not a full SHA-1"},
		"SHA-256 prerequisite":    {first + "-" + commitA + commitA[:24] + "\n" + main + "\n", "is not a full SHA-1"},
		"bad branch":              {first + commitA + " refs/heads/a..b\n\n", `branch "a..b"`},
		"carriage return":         {first + commitA + " refs/heads/main\r\n\n", "terminals act on"},
		"endless":                 {first + strings.Repeat("a", 1<<20), "longer than 4096 bytes"},
		"endless prerequisites":   {first + "-" + commitB + " " + strings.Repeat("a", 5000) + "\n" + main + "\n", "longer than 4096 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, size, err := read(test.text)
			require.ErrorIs(t, err, bundle.ErrMalformed)
			require.ErrorContains(t, err, test.want)
			require.Zero(t, h)
			require.Zero(t, size)
		})
	}
}

func TestReadHeaderKeepsReadErrors(t *testing.T) {
	broken := errors.New("broken disk")
	r := io.MultiReader(strings.NewReader(first), iotest.ErrReader(broken))
	_, _, err := bundle.ReadHeader(bufio.NewReader(r), router)
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, bundle.ErrMalformed)
}

func FuzzReadHeader(f *testing.F) {
	f.Add([]byte(first + commitA + " HEAD\n" + commitA + " refs/heads/main\n\nPACK"))
	f.Add([]byte(first + "-" + commitB + " subject\n" + commitA + " refs/heads/main\n\nPACK"))
	f.Add([]byte(first + commitA + " refs/tags/v1\n\nPACK"))
	f.Add([]byte("# v3 git bundle\n@object-format=sha256\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		h, size, err := bundle.ReadHeader(r, router)
		if err != nil {
			require.ErrorIs(t, err, bundle.ErrMalformed)
			return
		}
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, data[size:], append([]byte{}, rest...))

		text, err := bundle.EncodeHeader(h)
		require.NoError(t, err)
		again, _, err := read(string(text))
		require.NoError(t, err)
		require.Equal(t, h, again)
	})
}
