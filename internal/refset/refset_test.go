package refset_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/refset"
)

var (
	a    = strings.Repeat("a", 40)
	b    = strings.Repeat("b", 40)
	c    = strings.Repeat("c", 40)
	none = strings.Repeat("0", 40)
)

func newList(t require.TestingT, refs ...refset.Ref) refset.List {
	l, err := refset.New(refs)
	require.NoError(t, err)
	return l
}

// Each of the letters is smaller than the next in bytes, though not in every language.
func TestNewSortsByBytes(t *testing.T) {
	t.Parallel()
	l := newList(t, refset.Ref{Part: "é", Object: a}, refset.Ref{Part: "b", Object: b}, refset.Ref{Part: "B", Object: c}, refset.Ref{Part: "b/", Object: a}, refset.Ref{Part: "b-", Object: b})
	require.Equal(t, refset.List{{Part: "B", Object: c}, {Part: "b", Object: b}, {Part: "b-", Object: b}, {Part: "b/", Object: a}, {Part: "é", Object: a}}, l)
	for _, ref := range l {
		found, ok := l.Find(ref.Part)
		require.True(t, ok)
		require.Equal(t, ref, found)
	}
	_, ok := l.Find("a")
	require.False(t, ok)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for want, refs := range map[string][]refset.Ref{
		`object "abc" is not a full SHA-1`:              {{Part: "x", Object: "abc"}},
		`object "` + none + `" is not a full SHA-1`:     {{Part: "x", Object: none}},
		`"" is not part of a ref's name`:                {{Object: a}},
		`"a b" is not part`:                             {{Part: "a b", Object: a}},
		`"a\nb" is not part`:                            {{Part: "a\nb", Object: a}},
		`"a\x7f" is not part`:                           {{Part: "a\x7f", Object: a}},
		strings.Repeat("p", 80) + `" is not part`:       {{Part: strings.Repeat("p", 251), Object: a}},
		`"x" peels to "` + none + `", which is not a`:   {{Part: "x", Object: a, Peeled: none}},
		`"x" peels to "^{}", which is not a full SHA-1`: {{Part: "x", Object: a, Peeled: "^{}"}},
		`"x" is there twice`:                            {{Part: "x", Object: a}, {Part: "y", Object: a}, {Part: "x", Object: b}},
	} {
		_, err := refset.New(refs)
		require.ErrorContains(t, err, want)
	}
	require.Len(t, newList(t, refset.Ref{Part: strings.Repeat("p", 250), Object: a}), 1)
}

func TestStateID(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte(a + " v1\n" + b + " v2\n"))
	l := newList(t, refset.Ref{Part: "v2", Object: b, Peeled: c}, refset.Ref{Part: "v1", Object: a})
	require.Equal(t, hex.EncodeToString(sum[:]), l.StateID())
	require.Equal(t, l.StateID(), newList(t, refset.Ref{Part: "v1", Object: a}, refset.Ref{Part: "v2", Object: b}).StateID(), "the tag object says what it peels to")
	require.Empty(t, refset.List{}.StateID())
}

func TestStateAsDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/format.md")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(document), "The state\n\n```text\n")
	text, rest, _ := strings.Cut(rest, "```")
	l, err := refset.Parse([]byte(text))
	require.NoError(t, err)
	require.Len(t, l, 3)
	require.True(t, strings.HasPrefix(rest, "\n\nof `refs/*` has the id `"+l.StateID()+"`."))
}

func TestEncodeAndParse(t *testing.T) {
	t.Parallel()
	text := a + " v1\n" + b + " v2 " + c + "\n"
	l := newList(t, refset.Ref{Part: "v1", Object: a}, refset.Ref{Part: "v2", Object: b, Peeled: c})
	require.Equal(t, text, string(l.Encode()))
	got, err := refset.Parse([]byte(text))
	require.NoError(t, err)
	require.Equal(t, l, got)
	got, err = refset.Parse(nil)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"cut off":           {a + " v1\n" + b + " v2", `v2" is not a line of it`},
		"empty line":        {a + " v1\n\n", `object "" is not a full SHA-1`},
		"no part":           {a + "\n", "is not part of a ref's name"},
		"empty part":        {a + " \n", "is not part of a ref's name"},
		"two spaces":        {a + "  v1\n", "is not part of a ref's name"},
		"empty peeled":      {a + " v1 \n", "is not a line of it"},
		"four fields":       {a + " v1 " + b + " x\n", "which is not a full SHA-1"},
		"carriage return":   {a + " v1\r\n", "is not part of a ref's name"},
		"tab":               {a + "\tv1\n", "is not a full SHA-1"},
		"capitals":          {strings.ToUpper(a) + " v1\n", "is not a full SHA-1"},
		"a deletion":        {none + " v1\n", "is not a full SHA-1"},
		"not in order":      {a + " v2\n" + b + " v1\n", `"v1" is not in order`},
		"twice":             {a + " v1\n" + a + " v1\n", `"v1" is there twice`},
		"lines without end": {strings.Repeat("\n", refset.MaxRefs+1), "200001 lines, limit 200000"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := refset.Parse([]byte(test.text))
			require.ErrorIs(t, err, refset.ErrMalformed)
			require.ErrorContains(t, err, test.want)
			require.Less(t, len(err.Error()), 400)
		})
	}
}

// As many refs as a set may have, one more, and a difference that replaces them all.
func TestMostRefs(t *testing.T) {
	t.Parallel()
	many := func(prefix string, n int) []refset.Ref {
		refs := make([]refset.Ref, n)
		for i := range refs {
			refs[i] = refset.Ref{Part: fmt.Sprintf("%s%d", prefix, i), Object: a}
		}
		return refs
	}
	_, err := refset.New(many("x", refset.MaxRefs+1))
	require.ErrorIs(t, err, refset.ErrTooMany)

	base, next := newList(t, many("a", refset.MaxRefs)...), newList(t, many("b", refset.MaxRefs)...)
	parsed, err := refset.Parse(base.Encode())
	require.NoError(t, err)
	d, err := refset.ParseDifference(refset.Diff(parsed, next).Encode())
	require.NoError(t, err)
	require.Len(t, d, 2*refset.MaxRefs)
	got, err := base.Apply(d)
	require.NoError(t, err)
	require.Equal(t, next, got)

	_, err = base.Apply(refset.Difference{{Part: "one more", Object: a}})
	require.ErrorIs(t, err, refset.ErrTooMany)
	_, err = refset.ParseDifference([]byte(strings.Repeat("\n", 2*refset.MaxRefs+1)))
	require.ErrorIs(t, err, refset.ErrMalformed)
}

func FuzzList(f *testing.F) {
	f.Add([]byte(a + " v1\n" + b + " v2 " + c + "\n"))
	f.Add([]byte(none + " v1\n"))
	f.Add([]byte(a + " v2\n" + a + " v1 \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := refset.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, refset.ErrMalformed)
			return
		}
		require.Equal(t, string(text), string(l.Encode()), "a list has one text")
		require.Equal(t, len(l) == 0, l.StateID() == "")
		require.Equal(t, l.Encode(), newList(t, l...).Encode())
	})
}
