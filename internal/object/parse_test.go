package object

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func keyOf(json string) string { return base64.StdEncoding.EncodeToString([]byte(json)) + ".tar.age" }

const mainJSON = `{"group":"platform/edge","project_name":"proxy","commit_sha":"` + commitA + `","branch":"main"}`

func TestParse(t *testing.T) {
	increment := snapshot()
	increment.Base = commitB
	slash := snapshot()
	slash.Destination.Branch = "aÿ"
	tag := snapshot()
	tag.Destination.Branch = "refs/tags/v1"
	set := snapshot()
	set.Destination.Branch = "refs/heads/release-*"

	tests := map[string]struct {
		key  string
		want ID
	}{
		"snapshot":      {keyOf(mainJSON), snapshot()},
		"increment":     {commitB + "/" + keyOf(mainJSON), increment},
		"other order":   {keyOf(`{ "branch": "main", "commit_sha": "` + commitA + `", "project_name": "proxy", "group": "platform/edge" }`), snapshot()},
		"unknown":       {keyOf(`{"group":"platform/edge","project_name":"proxy","commit_sha":"` + commitA + `","branch":"main","x":{"branch":"y"},"Branch":"z"}`), snapshot()},
		"tag":           {keyOf(strings.Replace(mainJSON, "main", "refs/tags/v1", 1)), tag},
		"set":           {keyOf(strings.Replace(mainJSON, "main", "refs/heads/release-*", 1)), set},
		"raw non-ASCII": {keyOf(`{"branch":"aÿ","group":"platform/edge","project_name":"proxy","commit_sha":"` + commitA + `"}`), slash},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseKey(test.key)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			listed, err := NewStored(test.key, 1, time.Unix(1, 0))
			require.NoError(t, err)
			require.False(t, listed.ByPredecessor())
		})
	}
}

const predecessorJSON = `{"group":"platform/edge","project_name":"proxy","commit_sha":"` + commitA + `","local_branch":"trunk","remote_branch":"main"}`

func TestPredecessorsKeyIsTold(t *testing.T) {
	t.Parallel()
	listed, err := NewStored(keyOf(predecessorJSON), 7, time.Unix(1, 0))
	require.NoError(t, err)
	require.Equal(t, Stored{ID: snapshot(), Key: keyOf(predecessorJSON), Size: 7, Modified: time.Unix(1, 0), SourceBranch: "trunk"}, listed)
	require.True(t, listed.ByPredecessor())
	text, err := json.Marshal(listed)
	require.NoError(t, err)
	var again Stored
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, "trunk", again.SourceBranch, "as it travels through a history")

	_, err = ParseKey(keyOf(predecessorJSON))
	require.ErrorIs(t, err, ErrUndecodable, "it is none of ours")
}

func TestPredecessorsKeyIsRefused(t *testing.T) {
	t.Parallel()
	replaced := func(old, with string) string { return keyOf(strings.Replace(predecessorJSON, old, with, 1)) }
	for name, test := range map[string]struct{ key, want string }{
		"increment":        {commitB + "/" + keyOf(predecessorJSON), "writes no increments"},
		"both ways":        {replaced(`"local_branch"`, `"branch":"main","local_branch"`), "as we do and as the predecessor does"},
		"half of it":       {replaced(`,"remote_branch":"main"`, `,"branch":"main"`), "as we do and as the predecessor does"},
		"no destination":   {replaced(`,"remote_branch":"main"`, ""), `branch ""`},
		"no source":        {replaced(`"local_branch":"trunk",`, ""), "local_branch"},
		"bad source":       {replaced("trunk", "../trunk"), "local_branch"},
		"bad destination":  {replaced(`"main"`, `"-main"`), `branch "-main"`},
		"a tag":            {replaced(`"main"`, `"refs/tags/v1"`), `the predecessor writes branches, and "refs/tags/v1" is a tag`},
		"a source's tag":   {replaced("trunk", "refs/tags/v1"), `"refs/tags/v1" is a tag`},
		"a set":            {replaced(`"main"`, `"refs/heads/*"`), `"refs/heads/*" is a set of refs`},
		"a source's set":   {replaced("trunk", "refs/*"), `"refs/*" is a set of refs`},
		"group climbs":     {replaced("platform", ".."), `group ".."`},
		"source no string": {replaced(`"trunk"`, "1"), "local_branch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := NewStored(test.key, 1, time.Unix(1, 0))
			require.ErrorIs(t, err, ErrUndecodable)
			require.ErrorContains(t, err, test.want)
			require.Zero(t, got)
		})
	}
}

func TestParseAcceptsSlashInBase64(t *testing.T) {
	key := keyOf(`{"x":"???","group":"platform/edge","project_name":"proxy","commit_sha":"` + commitA + `","branch":"main"}`)
	require.Contains(t, key, "/")
	got, err := ParseKey(key)
	require.NoError(t, err)
	require.Equal(t, snapshot(), got)
}

func TestParseRefuses(t *testing.T) {
	encoded := strings.TrimSuffix(keyOf(mainJSON), ".tar.age")
	tests := map[string]struct{ key, want string }{
		"empty":             {"", "does not end in"},
		"other suffix":      {encoded + ".tar", "does not end in"},
		"too long":          {strings.Repeat("a", 1017) + ".tar.age", "1025 bytes, limit 1024"},
		"not base64":        {"!!!!.tar.age", "illegal base64"},
		"line break":        {encoded[:8] + "\n" + encoded[8:] + ".tar.age", "line break"},
		"URL alphabet":      {"eyJ4Ijoi_-8ifQ==.tar.age", "illegal base64"},
		"padding bits":      {"e31=.tar.age", "illegal base64"},
		"no padding":        {"e30.tar.age", "illegal base64"},
		"not UTF-8":         {keyOf("{\"group\":\"\xff\"}"), "not UTF-8"},
		"no JSON":           {keyOf("hello"), "not a JSON object"},
		"no object":         {keyOf(`["group"]`), "not a JSON object"},
		"truncated":         {keyOf(mainJSON[:len(mainJSON)-1]), "malformed JSON"},
		"trailing":          {keyOf(mainJSON + "{}"), "data after"},
		"name cut short":    {keyOf(`{"group`), "malformed JSON"},
		"no name":           {keyOf(`{1:2}`), "malformed JSON"},
		"no value":          {keyOf(`{"group":}`), "malformed JSON"},
		"not closed":        {keyOf(`{"group":"x"]`), "malformed JSON"},
		"duplicate":         {keyOf(`{"branch":"x",` + mainJSON[1:]), `duplicate JSON member "branch"`},
		"duplicate unknown": {keyOf(`{"x":1,"x":2,` + mainJSON[1:]), `duplicate JSON member "x"`},
		"not a string":      {keyOf(strings.Replace(mainJSON, `"main"`, `["main"]`, 1)), `branch ""`},
		"short commit":      {keyOf(strings.Replace(mainJSON, commitA, "abc", 1)), `commit "abc"`},
		"null commit":       {keyOf(strings.Replace(mainJSON, commitA, strings.Repeat("0", 40), 1)), "commit"},
		"upper-case commit": {keyOf(strings.Replace(mainJSON, commitA, strings.ToUpper(commitA), 1)), "commit"},
		"group climbs":      {keyOf(strings.Replace(mainJSON, "platform", "..", 1)), `group ".."`},
		"bad branch":        {keyOf(strings.Replace(mainJSON, "main", "-main", 1)), `branch "-main"`},
		"a branch in full":  {keyOf(strings.Replace(mainJSON, "main", "refs/heads/main", 1)), "neither a branch"},
		"neither":           {keyOf(strings.Replace(mainJSON, "main", "refs/git-partition-sync/applied/main/at-1", 1)), "neither a branch"},
		"a short pattern":   {keyOf(strings.Replace(mainJSON, "main", "release-*", 1)), "a pattern neither of branches nor of tags"},
		"not at the end":    {keyOf(strings.Replace(mainJSON, "main", "refs/tags/*/x", 1)), "contains '*' elsewhere than once at the end"},
		"reorders names":    {keyOf(strings.Replace(mainJSON, "main", "ma\u202ein", 1)), `branch "ma\u202ein": contains a character that terminals act on`},
		"escape":            {keyOf(strings.Replace(mainJSON, "proxy", `\u001b[31m`, 1)), `project "\x1b[31m"`},
		"short base":        {"abc/" + keyOf(mainJSON), "JSON"},
		"two bases":         {commitB + "/" + commitB + "/" + keyOf(mainJSON), "illegal base64"},
		"leading slash":     {"/" + keyOf(mainJSON), "illegal base64"},
		"null base":         {strings.Repeat("0", 40) + "/" + keyOf(mainJSON), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseKey(test.key)
			require.ErrorIs(t, err, ErrUndecodable)
			require.ErrorContains(t, err, test.want)
			require.Zero(t, got)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(keyOf(mainJSON))
	f.Add(commitB + "/" + keyOf(mainJSON))
	f.Add(keyOf(`{"group":"g","project_name":"p","commit_sha":"` + commitA + `","local_branch":"x","remote_branch":"ÿ😀"}`))
	f.Add(keyOf(`{"branch":"\ud800","group":"g","project_name":"p","commit_sha":"` + commitA + `"}`))
	f.Add("abc.tar.age")
	f.Fuzz(func(t *testing.T, s string) {
		listed, err := NewStored(s, 1, time.Unix(1, 0))
		if err != nil {
			require.ErrorIs(t, err, ErrUndecodable)
			return
		}
		require.NoError(t, listed.Validate())
		k, err := ParseKey(s)
		if listed.ByPredecessor() {
			require.ErrorIs(t, err, ErrUndecodable)
			return
		}
		require.NoError(t, err)
		key, err := k.Key()
		if errors.Is(err, ErrTooLong) {
			return // only S3's own limit binds other encoders
		}
		require.NoError(t, err)
		again, err := ParseKey(key)
		require.NoError(t, err)
		require.Equal(t, k, again)
	})
}
