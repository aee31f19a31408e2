package objectkey

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func snapshot() Key {
	return Key{Destination: project.Branch{Group: "platform/edge", Name: "proxy", Branch: "main"}, Commit: commitA}
}

func decoded(t *testing.T, key string) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(key, ".tar.age"))
	require.NoError(t, err)
	return string(text)
}

func TestEncode(t *testing.T) {
	tests := map[string]struct{ branch, want string }{
		"plain":      {"main", `main`},
		"HTML":       {"a<b>&c", `a<b>&c`},
		"quote":      {`a"b`, `a\"b`},
		"non-ASCII":  {"größe", `gr\u00f6\u00dfe`},
		"surrogates": {"a😀", `a\ud83d\ude00`},
		"joiner":     {"a\u200d", `a\u200d`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := snapshot()
			k.Destination.Branch = test.branch
			key, err := k.Encode()
			require.NoError(t, err)
			require.Equal(t, `{"group":"platform/edge","project_name":"proxy","commit_sha":"`+commitA+`","branch":"`+test.want+`"}`, decoded(t, key))
		})
	}
}

func TestEncodeIncrement(t *testing.T) {
	k := snapshot()
	plain, err := k.Encode()
	require.NoError(t, err)
	k.Base = commitB
	key, err := k.Encode()
	require.NoError(t, err)
	require.Equal(t, commitB+"/"+plain, key)
}

func TestEncodeRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*Key)
		want   string
	}{
		"short commit":   {func(k *Key) { k.Commit = "abc" }, `commit "abc"`},
		"null commit":    {func(k *Key) { k.Commit = strings.Repeat("0", 40) }, "is not a full SHA-1"},
		"bad base":       {func(k *Key) { k.Base = "abc" }, `base "abc"`},
		"invalid branch": {func(k *Key) { k.Destination.Branch = "a..b" }, `branch "a..b"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := snapshot()
			test.change(&k)
			_, err := k.Encode()
			require.ErrorContains(t, err, test.want)
			require.NotErrorIs(t, err, ErrTooLong)
		})
	}
}

func TestEncodeTooLong(t *testing.T) {
	group := strings.Repeat("g/", 120) + "g"
	k := Key{Destination: project.Branch{Group: group, Name: "p"}, Commit: commitA, Base: commitB}
	k.Destination.Branch = strings.Repeat("b", 250)
	key, err := k.Encode()
	require.NoError(t, err)
	require.Less(t, len(key), 1024)

	k.Destination.Branch = strings.Repeat("ü", 120) // six bytes each, once escaped
	_, err = k.Encode()
	require.ErrorIs(t, err, ErrTooLong)
	require.ErrorContains(t, err, `"g/g/g`)
	require.ErrorContains(t, err, "limit 1024")
}

// Not only names that Git allows: the alphabet alone has to rule a slash out.
func TestEncodedTextHasNoSlash(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.SampledFrom([]rune("?\x7f/ÿ￿ab")), 1, 20, -1))
	rapid.Check(t, func(t *rapid.T) {
		escaped, err := asciiJSON(payload{text.Draw(t, "group"), text.Draw(t, "project"), commitA, text.Draw(t, "branch")})
		require.NoError(t, err)
		require.NotContains(t, base64.StdEncoding.EncodeToString(escaped), "/", "%s", escaped)
	})
}

func drawKey(t *rapid.T) Key {
	commit := rapid.StringMatching(`[1-9a-f][0-9a-f]{39}`)
	segment := rapid.StringMatching(`[A-Za-z0-9_][A-Za-z0-9_-]{0,8}`)
	k := Key{
		Destination: project.Branch{
			Group:  strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(t, "group"), "/"),
			Name:   segment.Draw(t, "project"),
			Branch: rapid.StringN(1, 8, 20).Filter(func(s string) bool { return project.ValidateBranch(s) == nil }).Draw(t, "branch"),
		},
		Commit: commit.Draw(t, "commit"),
	}
	if rapid.Bool().Draw(t, "increment") {
		k.Base = commit.Filter(func(s string) bool { return s != k.Commit }).Draw(t, "base")
	}
	return k
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawKey(t)
		key, err := k.Encode()
		require.NoError(t, err)
		require.Equal(t, k.Base != "", strings.Contains(key, "/"))
		got, err := Parse(key)
		require.NoError(t, err)
		require.Equal(t, k, got)
	})
}

// A prefix finds all objects of a project on one base, and none of another project.
func TestPrefix(t *testing.T) {
	commit, base := strings.Repeat("a", 40), strings.Repeat("b", 40)
	for _, name := range []string{"a", "ab", "abc", "abcd"} {
		for _, on := range []string{"", base} {
			d := project.Branch{Group: "group", Name: name, Branch: "main"}
			prefix, err := Prefix(d, on)
			require.NoError(t, err)
			for _, branch := range []string{"main", "other&é"} {
				d.Branch = branch
				key, err := Key{Destination: d, Commit: commit, Base: on}.Encode()
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(key, prefix), "%s %s", key, prefix)
			}
			for _, other := range []project.Branch{{Group: "group", Name: name + "x", Branch: "main"}, {Group: "group/x", Name: name, Branch: "main"}, {Group: "grou", Name: name, Branch: "main"}} {
				key, err := Key{Destination: other, Commit: commit, Base: on}.Encode()
				require.NoError(t, err)
				require.False(t, strings.HasPrefix(key, prefix), "%s %s", key, prefix)
			}
		}
	}
}
