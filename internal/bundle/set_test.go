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
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

func set(pattern string) project.Branch {
	return project.Branch{Group: "platform", Name: "router", Branch: pattern}
}

var deletion = strings.Repeat("0", 40)

func TestSetHeader(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pattern string
		refs    []refset.Ref
		want    string
	}{
		"tags":      {"refs/tags/*", []refset.Ref{{Part: "v1", Object: commitA}, {Part: "v2", Object: commitB, Peeled: commitA}}, commitA + " refs/tags/v1\n" + commitB + " refs/tags/v2\n"},
		"branches":  {"refs/heads/up/*", []refset.Ref{{Part: "a/b", Object: commitA}}, commitA + " refs/heads/up/a/b\n"},
		"both":      {"refs/*", []refset.Ref{{Part: "heads/x", Object: commitA}, {Part: "tags/x", Object: commitB}}, commitA + " refs/heads/x\n" + commitB + " refs/tags/x\n"},
		"deletions": {"refs/tags/*", []refset.Ref{{Part: "v1", Object: deletion}, {Part: "v2", Object: commitB}}, commitB + " refs/tags/v2\n"},
		"nothing":   {"refs/tags/*", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := bundle.EncodeSetHeader(set(test.pattern), test.refs)
			require.NoError(t, err)
			require.Equal(t, first+test.want+"\n", string(text))

			r := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(text), strings.NewReader("PACK\n\n")), 16)
			size, err := bundle.ReadSetHeader(r, set(test.pattern), test.refs)
			require.NoError(t, err)
			require.EqualValues(t, len(text), size)
			rest, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, "PACK\n\n", string(rest))
		})
	}
}

func TestSetHeaderRefuses(t *testing.T) {
	t.Parallel()
	for want, of := range map[string]struct {
		pattern, part string
	}{
		"not of a set of refs":                                 {"main", ""},
		`"refs/tags/a..b" is no ref of the set "refs/tags/*"`:  {"refs/tags/*", "a..b"},
		`"refs/tags/a\nb" is no ref`:                           {"refs/tags/*", "a\nb"},
		`"refs/notes/x" is no ref of the set "refs/*"`:         {"refs/*", "notes/x"},
		`"refs/heads/refs/tags/v1" is no ref of the set "refs`: {"refs/heads/*", "refs/tags/v1"},
	} {
		refs := []refset.Ref{{Part: of.part, Object: commitA}}
		_, err := bundle.EncodeSetHeader(set(of.pattern), refs)
		require.ErrorContains(t, err, want)
		_, err = bundle.ReadSetHeader(bufio.NewReader(strings.NewReader(first)), set(of.pattern), refs)
		require.ErrorContains(t, err, want)
	}
	_, err := bundle.EncodeHeader(id("refs/tags/*", commitA, ""))
	require.ErrorContains(t, err, "a set of refs needs")
	_, _, err = read(first + commitA + " refs/tags/*\n\n")
	require.ErrorIs(t, err, bundle.ErrMalformed)
	require.ErrorContains(t, err, `"refs/tags/*" is a pattern`)
}

// A header is that of its refs and of no others.
func TestReadSetHeaderRefuses(t *testing.T) {
	t.Parallel()
	refs := []refset.Ref{{Part: "v1", Object: commitA}, {Part: "v2", Object: commitB}}
	good, err := bundle.EncodeSetHeader(set("refs/tags/*"), refs)
	require.NoError(t, err)
	for n := range good {
		_, err := bundle.ReadSetHeader(bufio.NewReader(bytes.NewReader(good[:n])), set("refs/tags/*"), refs)
		require.ErrorIs(t, err, bundle.ErrMalformed)
		require.ErrorContains(t, err, "truncated after")

		altered := bytes.Clone(good)
		altered[n] ^= 1
		_, err = bundle.ReadSetHeader(bufio.NewReader(bytes.NewReader(altered)), set("refs/tags/*"), refs)
		require.ErrorIs(t, err, bundle.ErrMalformed)
		require.ErrorContains(t, err, "where the refs of the set have")
		require.Less(t, len(err.Error()), 300)
	}
	for name, other := range map[string][]refset.Ref{"fewer": refs[:1], "others": {{Part: "v0", Object: commitA}}, "none": nil, "more": append(refs[:2:2], refset.Ref{Part: "v3", Object: commitA})} {
		_, err := bundle.ReadSetHeader(bufio.NewReader(bytes.NewReader(append(bytes.Clone(good), "PACK and a lot of bytes that are no refs, and so on, and so on, and so on"...))), set("refs/tags/*"), other)
		require.ErrorIs(t, err, bundle.ErrMalformed, name)
	}
	broken := errors.New("broken disk")
	_, err = bundle.ReadSetHeader(bufio.NewReader(io.MultiReader(bytes.NewReader(good[:70]), iotest.ErrReader(broken))), set("refs/tags/*"), refs)
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, bundle.ErrMalformed)
}

func FuzzReadSetHeader(f *testing.F) {
	line := commitA + " v1\n" + commitB + " v2\n"
	f.Add([]byte(first+commitA+" refs/tags/v1\n"+commitB+" refs/tags/v2\n\nPACK"), []byte(line))
	f.Add([]byte(first+"\nPACK"), []byte{})
	f.Add([]byte("# v3 git bundle\n@object-format=sha256\n"), []byte(line))
	f.Fuzz(func(t *testing.T, data, text []byte) {
		refs, err := refset.ParseDifference(text)
		if err != nil {
			return
		}
		r := bufio.NewReader(bytes.NewReader(data))
		size, err := bundle.ReadSetHeader(r, set("refs/tags/*"), refs)
		if err != nil {
			return // of a name in the refs, or ErrMalformed
		}
		want, err := bundle.EncodeSetHeader(set("refs/tags/*"), refs)
		require.NoError(t, err)
		require.Equal(t, want, data[:size])
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, string(data[size:]), string(rest))
	})
}
