package webhook

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorded is a body as the forge's documentation shows it, or as the forge sends it.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return body
}

func headerOf(pairs ...string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestPushes(t *testing.T) {
	for name, tt := range map[string]struct {
		event string // Gitea's
		want  Push
	}{
		"gitlab-push.json":              {"", Push{"mike/diaspora", []string{"refs/heads/master"}}},
		"gitlab-tag-push.json":          {"", Push{"jsmith/example", []string{"refs/tags/v1.0.0"}}},
		"gitlab-system-push.json":       {"", Push{"mike/diaspora", []string{"refs/heads/main"}}},
		"gitlab-repository-update.json": {"", Push{"jsmith/example", []string{"refs/heads/master", "refs/tags/v2"}}},
		"gitea-push.json":               {"push", Push{"platform/router", []string{"refs/heads/main"}}},
		"gitea-tag-push.json":           {"push", Push{"platform/router", []string{"refs/tags/v1"}}},
		"gitea-create.json":             {"create", Push{"platform/router", []string{"refs/tags/v1"}}},
		"gitea-delete.json":             {"delete", Push{"platform/router", []string{"refs/heads/dev"}}},
	} {
		header := headerOf()
		if tt.event != "" {
			header.Set("X-Gitea-Event", tt.event)
		}
		push, err := parsePush(header, recorded(t, name))
		require.NoError(t, err, name)
		require.Equal(t, tt.want, push, name)
	}
}

func TestNoPushes(t *testing.T) {
	_, err := parsePush(headerOf(), recorded(t, "gitlab-merge-request.json"))
	require.ErrorIs(t, err, errNoPush)
	_, err = parsePush(headerOf("X-Gitea-Event", "issues"), []byte("what it is does not matter"))
	require.ErrorIs(t, err, errNoPush)
	_, err = parsePush(headerOf(), []byte(`{"object_kind": "note", "ref": 5}`))
	require.ErrorIs(t, err, errNoPush)
	for _, body := range []string{
		"", "null", "[]", "{", `"push"`, "{}garbage", "\x00", `{"object_kind": 5}`, strings.Repeat("[", 100_000),
		`{"object_kind": "push"}`, `{"object_kind": "push", "ref": "refs/heads/a"}`, `{"object_kind": "push", "project": {"path_with_namespace": "a/b"}}`,
		`{"object_kind": "push", "ref": ["refs/heads/a"], "project": {"path_with_namespace": "a/b"}}`,
		`{"event_name": "repository_update", "refs": "refs/heads/a", "project": {"path_with_namespace": "a/b"}}`,
		`{"event_name": "repository_update", "refs": ["refs/heads/a"], "project": {}}`,
	} {
		push, err := parsePush(headerOf(), []byte(body))
		require.Error(t, err, "%.60q", body)
		require.Zero(t, push)
	}
	for _, body := range []string{"{}", `{"ref": "refs/heads/a"}`, `{"repository": {"full_name": "a/b"}}`, `{"ref": 1, "repository": {"full_name": "a/b"}}`} {
		_, err := parsePush(headerOf("X-Gitea-Event", "push"), []byte(body))
		require.ErrorIs(t, err, errMalformed, body)
	}
}

// More refs than are looked at one by one, or none, are the whole project.
func TestManyRefs(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, maxRefs: maxRefs, maxRefs + 1: 0} {
		refs := make([]string, n)
		for i := range refs {
			refs[i] = "refs/heads/a"
		}
		body, err := json.Marshal(map[string]any{"event_name": "repository_update", "refs": refs, "project": map[string]any{"path_with_namespace": "a/b"}})
		require.NoError(t, err)
		push, err := parsePush(headerOf(), body)
		require.NoError(t, err)
		require.Equal(t, "a/b", push.Project)
		require.Len(t, push.Refs, want)
	}
}

// Whatever is sent, what comes of it has a project and a bounded number of refs, or is an error.
func FuzzParsePush(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, file := range files {
		for _, event := range []string{"", "push", "create"} {
			f.Add(event, recorded(f, filepath.Base(file)))
		}
	}
	f.Add("", []byte(`{"object_kind":"push","object_kind":"note","Ref":"x","ref":"refs/heads/a","project":{"path_with_namespace":"a/b"},"project":null}`))
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		push, err := parsePush(http.Header{"X-Gitea-Event": {event}}, body)
		if err != nil {
			require.Zero(t, push)
			return
		}
		require.NotEmpty(t, push.Project)
		require.LessOrEqual(t, len(push.Refs), maxRefs)
	})
}
