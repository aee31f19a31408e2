package refset_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/refset"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	base := newList(t, refset.Ref{Part: "gone", Object: a}, refset.Ref{Part: "moved", Object: a}, refset.Ref{Part: "same", Object: a})
	next := newList(t, refset.Ref{Part: "added", Object: b, Peeled: c}, refset.Ref{Part: "moved", Object: b}, refset.Ref{Part: "same", Object: a, Peeled: c})
	d := refset.Diff(base, next)
	require.Equal(t, b+" added "+c+"\n"+none+" gone\n"+b+" moved\n", string(d.Encode()))
	require.Empty(t, refset.Diff(base, base))
}

// A difference leads from its base to what it was made of, whatever these are; and from no other list to there.
func TestDifferencesLeadFromBaseToNext(t *testing.T) {
	t.Parallel()
	lists := rapid.Custom(func(t *rapid.T) refset.List {
		var refs []refset.Ref
		for part, object := range rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "b-", "b/c", "d"}), rapid.SampledFrom([]string{a, b, c}), 0, 5).Draw(t, "refs") {
			refs = append(refs, refset.Ref{Part: part, Object: object})
		}
		return newList(t, refs...)
	})
	rapid.Check(t, func(t *rapid.T) {
		base, next, other := lists.Draw(t, "base"), lists.Draw(t, "next"), lists.Draw(t, "other")
		d, err := refset.ParseDifference(refset.Diff(base, next).Encode())
		require.NoError(t, err)
		got, err := base.Apply(d)
		require.NoError(t, err)
		require.Equal(t, next.Encode(), got.Encode())

		if got, err = other.Apply(d); err == nil {
			require.Equal(t, d.Encode(), refset.Diff(other, got).Encode(), "each line does something")
		} else {
			require.ErrorIs(t, err, refset.ErrMalformed)
		}
	})
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	l := newList(t, refset.Ref{Part: "v1", Object: a}, refset.Ref{Part: "v2", Object: b})
	for want, d := range map[string]refset.Difference{
		`deletes "v0", which is not there`: {{Part: "v0", Object: none}},
		`deletes "v3", which is not there`: {{Part: "v3", Object: none}},
		`sets "v1" to what it is`:          {{Part: "v1", Object: a}},
		`sets "v2" to what it is`:          {{Part: "v1", Object: none}, {Part: "v2", Object: b}},
	} {
		_, err := l.Apply(d)
		require.ErrorIs(t, err, refset.ErrMalformed)
		require.ErrorContains(t, err, want)
	}
}

func TestParseDifferenceRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		none + " v1 " + a + "\n":          `"v1" peels to`,
		none + " v1\n" + a + " v1\n":      `"v1" is there twice`,
		none + " v2\n" + a + " v1\n":      `"v1" is not in order`,
		none[:39] + " v1\n":               "is not a full SHA-1",
		a + " v1\n" + none + " v2":        "is not a line of it",
		none + " " + "a b" + "\n":         "is not a full SHA-1",
		none + "0 v1\n":                   "is not a full SHA-1",
		a + " v1\n" + none + "\n":         "is not part of a ref's name",
		a + " v1 " + none + "\n":          `"v1" peels to`,
		none + " v1 \n":                   "is not a line of it",
		string([]byte{0}) + none + " v\n": "is not a full SHA-1",
	} {
		_, err := refset.ParseDifference([]byte(text))
		require.ErrorIs(t, err, refset.ErrMalformed, "%q", text)
		require.ErrorContains(t, err, want, "%q", text)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	list := func(object string, parts ...string) refset.List {
		var refs []refset.Ref
		for _, part := range parts {
			refs = append(refs, refset.Ref{Part: part, Object: object})
		}
		return newList(t, refs...)
	}
	for _, test := range []struct {
		pattern    string
		base, next refset.List
		want       string
	}{
		{"refs/tags/*", nil, list(a, "v1", "v2", "v3"), "3 tags new"},
		{"refs/heads/*", list(a, "main", "x", "tags/y"), list(b, "main", "x"), "2 branches moved, 1 branch deleted"},
		{"refs/heads/release/*", list(a, "1", "2"), list(b, "1"), "1 branch moved, 1 branch deleted"},
		{"refs/*", list(a, "heads/a", "heads/b", "heads/c", "tags/1", "tags/2"), list(b, "heads/a", "heads/d", "tags/1", "tags/3", "tags/4"),
			"1 branch new, 2 tags new, 1 branch moved, 1 tag moved, 2 branches deleted, 1 tag deleted"},
		{"refs/*", list(a, "heads/a"), list(a, "heads/a"), "no ref changed"},
	} {
		require.Equal(t, test.want, refset.Diff(test.base, test.next).Summary(test.base, test.pattern))
	}
}

func FuzzDifference(f *testing.F) {
	f.Add([]byte(b+" added "+c+"\n"+none+" gone\n"+b+" moved\n"), []byte(a+" gone\n"+a+" moved\n"))
	f.Add([]byte(none+" v1\n"), []byte(a+" v2\n"))
	f.Fuzz(func(t *testing.T, text, base []byte) {
		d, err := refset.ParseDifference(text)
		if err != nil {
			require.ErrorIs(t, err, refset.ErrMalformed)
			return
		}
		require.Equal(t, string(text), string(d.Encode()), "a difference has one text")
		l, err := refset.Parse(base)
		if err != nil {
			return
		}
		next, err := l.Apply(d)
		if err != nil {
			return
		}
		require.Equal(t, string(text), string(refset.Diff(l, next).Encode()))
		_, err = refset.Parse(next.Encode())
		require.NoError(t, err)
	})
}
