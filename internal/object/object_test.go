package object

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func snapshot() ID {
	return ID{Destination: project.Branch{Group: "platform/edge", Name: "proxy", Branch: "main"}, Commit: commitA}
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
		"tag":        {"refs/tags/v1", "refs/tags/v1"},
		"joiner":     {"a\u200d", `a\u200d`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := snapshot()
			k.Destination.Branch = test.branch
			key, err := k.Key()
			require.NoError(t, err)
			require.Equal(t, `{"group":"platform/edge","project_name":"proxy","commit_sha":"`+commitA+`","branch":"`+test.want+`"}`, decoded(t, key))
		})
	}
}

func TestEncodeIncrement(t *testing.T) {
	k := snapshot()
	plain, err := k.Key()
	require.NoError(t, err)
	k.Base = commitB
	key, err := k.Key()
	require.NoError(t, err)
	require.Equal(t, commitB+"/"+plain, key)
}

func TestEncodeRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*ID)
		want   string
	}{
		"short commit":   {func(id *ID) { id.Commit = "abc" }, `commit "abc"`},
		"null commit":    {func(id *ID) { id.Commit = strings.Repeat("0", 40) }, "is not a full SHA-1"},
		"bad base":       {func(id *ID) { id.Base = "abc" }, `base "abc"`},
		"invalid branch": {func(id *ID) { id.Destination.Branch = "a..b" }, `branch "a..b"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := snapshot()
			test.change(&k)
			_, err := k.Key()
			require.ErrorContains(t, err, test.want)
			require.NotErrorIs(t, err, ErrTooLong)
		})
	}
}

func TestEncodeTooLong(t *testing.T) {
	group := strings.Repeat("g/", 120) + "g"
	k := ID{Destination: project.Branch{Group: group, Name: "p"}, Commit: commitA, Base: commitB}
	k.Destination.Branch = strings.Repeat("b", 250)
	key, err := k.Key()
	require.NoError(t, err)
	require.Less(t, len(key), 1024)

	k.Destination.Branch = strings.Repeat("ü", 120) // six bytes each, once escaped
	_, err = k.Key()
	require.ErrorIs(t, err, ErrTooLong)
	require.ErrorContains(t, err, `"g/g/g`)
	require.ErrorContains(t, err, "limit 1024")
}

// Not only names that Git allows: the alphabet alone has to rule a slash out.
// S3's limit can be reached, and what reaches it can be read.
func TestLongestKey(t *testing.T) {
	longest := 0
	for n := range 50 {
		id := snapshot()
		id.Destination.Branch = strings.Repeat("é", 100) + strings.Repeat("a", n) // six bytes each, and one
		key, err := id.Key()
		if err != nil {
			require.ErrorIs(t, err, ErrTooLong)
			continue
		}
		longest = max(longest, len(key))
		got, err := ParseKey(key)
		require.NoError(t, err)
		require.Equal(t, id, got)
	}
	require.Equal(t, 1024, longest)
}

// Characters are escaped as JSON has it: those beyond the Basic Multilingual Plane as two.
func TestEndOfThePlane(t *testing.T) {
	id := snapshot()
	id.Destination.Branch = "\uffff\U00010000"
	key, err := id.Key()
	require.NoError(t, err)
	text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(key, ".tar.age"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"\uffff\ud800\udc00"`)
}

func TestEncodedTextHasNoSlash(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.SampledFrom([]rune("?\x7f/ÿ￿ab")), 1, 20, -1))
	rapid.Check(t, func(t *rapid.T) {
		escaped, err := asciiJSON(keyMembers{text.Draw(t, "group"), text.Draw(t, "project"), commitA, text.Draw(t, "branch")})
		require.NoError(t, err)
		require.NotContains(t, base64.StdEncoding.EncodeToString(escaped), "/", "%s", escaped)
	})
}

func drawKey(t *rapid.T) ID {
	commit := rapid.StringMatching(`[1-9a-f][0-9a-f]{39}`)
	segment := rapid.StringMatching(`[A-Za-z0-9_][A-Za-z0-9_-]{0,8}`)
	k := ID{
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
		key, err := k.Key()
		require.NoError(t, err)
		require.Equal(t, k.Base != "", strings.Contains(key, "/"))
		got, err := ParseKey(key)
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
			prefix, err := KeyPrefix(d, on)
			require.NoError(t, err)
			for _, branch := range []string{"main", "other&é"} {
				d.Branch = branch
				key, err := ID{Destination: d, Commit: commit, Base: on}.Key()
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(key, prefix), "%s %s", key, prefix)
			}
			for _, other := range []project.Branch{{Group: "group", Name: name + "x", Branch: "main"}, {Group: "group/x", Name: name, Branch: "main"}, {Group: "grou", Name: name, Branch: "main"}} {
				key, err := ID{Destination: other, Commit: commit, Base: on}.Key()
				require.NoError(t, err)
				require.False(t, strings.HasPrefix(key, prefix), "%s %s", key, prefix)
			}
		}
	}
}

// What travels through histories names an object once, by its key.
func TestStoredJSON(t *testing.T) {
	id := snapshot()
	id.Base = commitB
	key, err := id.Key()
	require.NoError(t, err)
	stored, err := NewStored(key, 7, time.Unix(1, 0).UTC())
	require.NoError(t, err)
	require.Equal(t, id, stored.ID)

	text, err := json.Marshal([]Stored{stored})
	require.NoError(t, err)
	require.JSONEq(t, `[{"key":"`+key+`","size":7,"modified":"1970-01-01T00:00:01Z"}]`, string(text))
	var got []Stored
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, []Stored{stored}, got)

	for _, text := range []string{`{}`, `{"key":"x","destination":{"group":"g"}}`} {
		require.ErrorIs(t, json.Unmarshal([]byte(text), &stored), ErrUndecodable)
	}
}

// The key is read back as the predecessor's, and has its members in its order.
func TestPredecessorKey(t *testing.T) {
	t.Parallel()
	id := ID{Destination: project.Branch{Group: "g", Name: "p", Branch: "a/éè"}, Commit: strings.Repeat("a", 40)}
	key, err := id.PredecessorKey()
	require.NoError(t, err)
	require.Equal(t, `{"group":"g","project_name":"p","commit_sha":"`+id.Commit+`","local_branch":"a/\u00e9\u00e8","remote_branch":"a/\u00e9\u00e8"}`, decoded(t, key))
	stored, err := NewStored(key, 1, time.Time{})
	require.NoError(t, err)
	require.Equal(t, id, stored.ID)
	require.Equal(t, "a/éè", stored.SourceBranch)
	prefix, err := KeyPrefix(id.Destination, "")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(key, prefix), "it is found among the project's snapshots")

	id.Base = id.Commit
	_, err = id.PredecessorKey()
	require.ErrorContains(t, err, "no increments")
	id.Base, id.Destination.Branch = "", strings.Repeat("b", 250)
	id.Destination.Group = strings.Repeat("g", 200)
	_, err = id.Key()
	require.NoError(t, err)
	_, err = id.PredecessorKey()
	require.ErrorIs(t, err, ErrTooLong)
}
