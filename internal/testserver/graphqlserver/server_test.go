package graphqlserver

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	everything = `{apps_v1{name codeComponents{name gitlabSync{sourceProject{group name branch} destinationProject{group name branch}}}}}`

	twoSyncs = `
syncs:
  - source: {group: platform, name: router, branch: main}
    destination: {group: mirror/platform, name: router, branch: main}
  - source: {group: a/b, name: c, branch: release/1}
    destination: {group: d, name: e, branch: f}
`
)

func start(t *testing.T, opts Options) *Server {
	t.Helper()
	server, err := Start(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server
}

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// ask returns the answer of a server over a file with the text.
func ask(t *testing.T, text, query string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "syncs.yaml")
	write(t, name, text)
	return post(t, start(t, Options{File: name}).URL(), query)
}

func post(t *testing.T, url, query string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	require.NoError(t, err)
	resp, err := http.Post(url, "application/json", strings.NewReader(string(body)))
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(answer)
}

func TestQuery(t *testing.T) {
	require.JSONEq(t, `{"data":{"apps_v1":[
		{"name":"without-components","codeComponents":null},
		{"name":"with-components","codeComponents":[
			{"name":"not-synced","gitlabSync":null},
			{"name":"synced-0","gitlabSync":{
				"sourceProject":{"group":"platform","name":"router","branch":"main"},
				"destinationProject":{"group":"mirror/platform","name":"router","branch":"main"}}},
			{"name":"synced-1","gitlabSync":{
				"sourceProject":{"group":"a/b","name":"c","branch":"release/1"},
				"destinationProject":{"group":"d","name":"e","branch":"f"}}}]}]}}`,
		ask(t, twoSyncs, everything))
}

func TestQueryIsExecuted(t *testing.T) {
	require.JSONEq(t, `{"data":{"list":[{"n":"without-components"},{"n":"with-components"}]}}`,
		ask(t, twoSyncs, `{list: apps_v1 {n: name}}`))
	require.Contains(t, ask(t, twoSyncs, `{apps_v1 {owner}}`), `Cannot query field \"owner\"`)
}

func TestMissingSideFailsInPart(t *testing.T) {
	answer := ask(t, twoSyncs+"  - source: {group: g, name: n, branch: b}\n", everything)

	require.Contains(t, answer, `"name":"router"`)
	require.Contains(t, answer, `{"name":"synced-2","gitlabSync":null}`)
	require.Contains(t, answer, `"path":["apps_v1",1,"codeComponents",3,"gitlabSync","destinationProject"]`)
}

func TestUnusableFile(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"malformed":     {"syncs: [", "syncs.yaml"},
		"unknown field": {"syncs:\n  - from: {group: g}\n", "from"},
		"empty":         {"", "syncs.yaml"},
		"without syncs": {"{}", "no syncs"},
		"null syncs":    {"syncs:\n", "no syncs"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var answer struct {
				Data   map[string]any
				Errors []struct{ Message string }
			}
			require.NoError(t, json.Unmarshal([]byte(ask(t, test.text, everything)), &answer))
			require.Nil(t, answer.Data["apps_v1"])
			require.Len(t, answer.Errors, 1)
			require.Contains(t, answer.Errors[0].Message, test.want)
		})
	}
}

func TestMissingFile(t *testing.T) {
	server := start(t, Options{File: filepath.Join(t.TempDir(), "absent.yaml")})
	require.Contains(t, post(t, server.URL(), everything), "no such file")
}

func TestFileIsReadForEveryQuery(t *testing.T) {
	name := filepath.Join(t.TempDir(), "syncs.yaml")
	write(t, name, "syncs: []")
	server := start(t, Options{File: name})
	require.NotContains(t, post(t, server.URL(), everything), "router")

	write(t, name, twoSyncs)
	require.Contains(t, post(t, server.URL(), everything), "router")

	write(t, name, "syncs: [")
	require.Contains(t, post(t, server.URL(), everything), "errors")

	write(t, name, twoSyncs)
	require.NotContains(t, post(t, server.URL(), everything), "errors")
}

func TestAuthentication(t *testing.T) {
	name := filepath.Join(t.TempDir(), "syncs.yaml")
	write(t, name, twoSyncs)
	server := start(t, Options{File: name, Username: "reader", Password: "secret"})

	tests := map[string]struct {
		username, password string
		want               int
	}{
		"right":          {"reader", "secret", http.StatusOK},
		"wrong username": {"writer", "secret", http.StatusUnauthorized},
		"wrong password": {"reader", "guess", http.StatusUnauthorized},
		"none":           {"", "", http.StatusUnauthorized},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPost, server.URL(), strings.NewReader(`{"query":"{apps_v1{name}}"}`))
			require.NoError(t, err)
			if test.username != "" {
				req.SetBasicAuth(test.username, test.password)
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, test.want, resp.StatusCode)
		})
	}
}
