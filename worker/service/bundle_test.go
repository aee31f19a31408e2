package service

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// appInterface answers as App-Interface's server does: the present bundle at /graphql, others below /graphqlsha.
type appInterface struct {
	bundles map[string]string // answers to the query of syncs, by path
	saas    map[string]string // answers to that of saas files
	asked   []string
}

func (a *appInterface) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.asked = append(a.asked, r.URL.Path)
	answers := a.bundles
	if !strings.Contains(string(body), "apps_v1") {
		answers = a.saas
	} else if strings.Contains(string(body), "saas_files") { // one query for both
		syncs, saas := map[string]map[string]any{}, map[string]map[string]any{}
		_ = json.Unmarshal([]byte(a.bundles[r.URL.Path]), &syncs)
		_ = json.Unmarshal([]byte(a.saas[r.URL.Path]), &saas)
		both := map[string]any{"data": map[string]any{"apps_v1": syncs["data"]["apps_v1"], "saas_files": saas["data"]["saas_files"]}}
		_ = json.NewEncoder(w).Encode(both)
		return
	}
	answer, ok := answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(w, answer)
}

// syncsAnswer is a bundle with syncs of one source each, to the destinations that are named.
func syncsAnswer(syncs ...string) string {
	var components []string
	for _, s := range syncs {
		source, destination, _ := strings.Cut(s, ">")
		components = append(components, fmt.Sprintf(`{"codeComponents":[{"gitlabSync":{"sourceProject":{"name":%q,"group":"g","branch":"main"},"destinationProject":{"name":%q,"group":"g","branch":"main"}}}]}`, source, destination))
	}
	return `{"data":{"apps_v1":[` + strings.Join(components, ",") + `]}}`
}

func saasAnswer(ref string) string {
	return fmt.Sprintf(`{"data":{"saas_files":[{"name":"other","resourceTemplates":[]},{"name":"saas-git-partition-sync-producer","resourceTemplates":[{"targets":[{"ref":%q}]}]}]}}`, ref)
}

// syncsQuery asks for the syncs alone.
const syncsQuery = `{ apps_v1 { codeComponents { gitlabSync { sourceProject { name group branch } destinationProject { name group branch } } } } }`

const otherSaas = `{"data":{"saas_files":[{"name":"other","resourceTemplates":[]}]}}`

func TestUnchanged(t *testing.T) {
	tests := map[string]struct {
		oldSyncs, newSyncs, oldSaas, newSaas string
		same                                 bool
		problem                              string
	}{
		"equal":             {syncsAnswer("a>b", "c>d"), syncsAnswer("a>b", "c>d"), saasAnswer("1"), saasAnswer("1"), true, ""},
		"in another order":  {syncsAnswer("a>b", "c>d"), syncsAnswer("c>d", "a>b"), saasAnswer("1"), saasAnswer("1"), true, ""},
		"a sync is gone":    {syncsAnswer("a>b", "c>d"), syncsAnswer("a>b"), saasAnswer("1"), saasAnswer("1"), false, ""},
		"one of one source": {syncsAnswer("a>b", "a>c"), syncsAnswer("a>x", "a>c"), saasAnswer("1"), saasAnswer("1"), false, ""},
		"there twice":       {syncsAnswer("a>b"), syncsAnswer("a>b", "a>b"), saasAnswer("1"), saasAnswer("1"), false, ""},
		"promoted":          {syncsAnswer("a>b"), syncsAnswer("a>b"), saasAnswer("1"), saasAnswer("2"), false, ""},
		"no such saas file": {syncsAnswer("a>b"), syncsAnswer("a>b"), otherSaas, otherSaas, false, ""},
		"unknown bundle":    {"", syncsAnswer("a>b"), "", saasAnswer("1"), false, "does not know this bundle"},
		"partial":           {syncsAnswer("a>b"), `{"errors":[{"message":"broken"}],"data":{"apps_v1":[]}}`, saasAnswer("1"), saasAnswer("1"), false, "(GraphQLErrors)"},
		"no saas files":     {syncsAnswer("a>b"), syncsAnswer("a>b"), saasAnswer("1"), `{"data":{"saas_files":null}}`, false, "without saas_files_v2"},
		"null target":       {syncsAnswer("a>b"), syncsAnswer("a>b"), saasAnswer("1"), strings.Replace(saasAnswer("1"), `{"ref":"1"}`, "null", 1), false, "null for a target"},
	}
	own := filepath.Join(t.TempDir(), "check.graphql")
	require.NoError(t, os.WriteFile(own, []byte(`{ saas_files: saas_files_v2 { name resourceTemplates { targets { ref } } }, `+
		`apps_v1 { codeComponents { gitlabSync { sourceProject { name group branch } destinationProject { name group branch } } } } }`), 0o600))
	ofSyncs := filepath.Join(t.TempDir(), "query.graphql")
	require.NoError(t, os.WriteFile(ofSyncs, []byte(syncsQuery), 0o600))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := &appInterface{bundles: map[string]string{"/app/graphql": tt.newSyncs}, saas: map[string]string{"/app/graphql": tt.newSaas}}
			if tt.oldSyncs != "" {
				server.bundles["/app/graphqlsha/abc123"], server.saas["/app/graphqlsha/abc123"] = tt.oldSyncs, tt.oldSaas
			}
			environ := bundleEnviron(t, server)
			same, err := Unchanged(t.Context(), environ)
			require.Equal(t, tt.same, same)
			require.Equal(t, "/app/graphqlsha/abc123", server.asked[0])
			if tt.problem != "" {
				require.ErrorContains(t, err, tt.problem)
				return
			}
			require.NoError(t, err)
			same, err = Unchanged(t.Context(), append(environ, "GRAPHQL_PRCHECK_QUERY_FILE="+own))
			require.NoError(t, err)
			require.Equal(t, tt.same, same, "asked with one query")
			same, err = Unchanged(t.Context(), append(environ, "GRAPHQL_QUERY_FILE="+ofSyncs))
			require.NoError(t, err)
			require.Equal(t, tt.same, same, "with an own query of the syncs alone")
		})
	}
}

// Both bundles, and both parts of each, are asked for with the credentials of the list of syncs; no error has a secret.
func TestPreviousBundleIsAskedWithCredentials(t *testing.T) {
	app := &appInterface{bundles: map[string]string{}, saas: map[string]string{}}
	for _, path := range []string{"/app/graphql", "/app/graphqlsha/abc123"} {
		app.bundles[path], app.saas[path] = syncsAnswer("a>b"), saasAnswer("1")
	}
	var users []string
	environ := append(bundleEnviron(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		users = append(users, basic(r))
		if len(users) > 4 {
			http.Error(w, "it was s3cret-key", http.StatusInternalServerError)
			return
		}
		app.ServeHTTP(w, r)
	})), "GRAPHQL_USERNAME=reader", "GRAPHQL_PASSWORD=pass", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s3cret-key")
	same, err := Unchanged(t.Context(), environ)
	require.NoError(t, err)
	require.True(t, same)
	require.Equal(t, []string{"reader:pass", "reader:pass", "reader:pass", "reader:pass"}, users)

	_, err = Unchanged(t.Context(), environ)
	require.ErrorContains(t, err, "previous bundle: graphql server answered 500")
	require.NotContains(t, err.Error(), "s3cret-key")
}

func TestPreviousBundleThatCannotBeUsed(t *testing.T) {
	server := &appInterface{}
	query := filepath.Join(t.TempDir(), "query.graphql")
	require.NoError(t, os.WriteFile(query, []byte(syncsQuery), 0o600))
	for variable, problem := range map[string]string{
		"PREVIOUS_BUNDLE_SHA=../graphql":      "PREVIOUS_BUNDLE_SHA is not the hash of a bundle",
		"GRAPHQL_PRCHECK_QUERY_FILE=" + query: "does not select saas_files.name",
		"GITLAB_TOKEN=":                       "GITLAB_TOKEN is not set",
	} {
		_, err := Unchanged(t.Context(), append(bundleEnviron(t, server), variable))
		require.ErrorContains(t, err, problem)
	}
	same, err := Unchanged(t.Context(), []string{"PUBLIC_KEY=x"})
	require.NoError(t, err, "there is none, and the rest is not looked at")
	require.False(t, same)
}

func bundleEnviron(t *testing.T, handler http.Handler) []string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return []string{
		"PREVIOUS_BUNDLE_SHA=abc123", "GRAPHQL_SERVER=" + server.URL + "/app/graphql", "PUBLIC_KEY=" + identity(t).Recipient().String(),
		"GITLAB_BASE_URL=https://gitlab.example.com", "GITLAB_USERNAME=u", "GITLAB_TOKEN=t", "AWS_REGION=r", "AWS_S3_BUCKET=b",
	}
}

// A slash at the end is no segment of the path, and one that is encoded separates none.
func TestPreviousBundleIsBesideThePresentOne(t *testing.T) {
	for path, want := range map[string]string{
		"/app/graphql/": "/app/graphqlsha/abc123", "/a%2Fb/graphql": "/a%2Fb/graphqlsha/abc123", "/app/a%2Fb": "/app/graphqlsha/abc123",
		"/graphql": "/graphqlsha/abc123", "/": "/graphqlsha/abc123", "": "/graphqlsha/abc123",
	} {
		var asked []string
		environ := bundleEnviron(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.RequestURI)
			http.NotFound(w, r)
		}))
		for i, v := range environ {
			environ[i] = strings.Replace(v, "/app/graphql", path, 1)
		}
		_, err := Unchanged(t.Context(), environ)
		require.ErrorContains(t, err, "does not know this bundle")
		require.Equal(t, []string{want}, asked, path)
	}
}
