package graphql_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/graphqlserver"
)

func branchOf(group, name, branch string) project.Branch {
	return project.Branch{Group: group, Name: name, Branch: branch}
}

func endpoint(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

func newClient(t *testing.T, opts graphql.Options) *graphql.Client {
	t.Helper()
	client, err := graphql.New(opts)
	require.NoError(t, err)
	return client
}

// answer is a server that answers every query with the body.
func answer(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// demo is the demo's GraphQL server over a file with the text.
func demo(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "syncs.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	server, err := graphqlserver.Start(graphqlserver.Options{File: name, Username: "reader", Password: "secret"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server.URL()
}

const demoFile = `
syncs:
  - source: {group: platform/edge, name: router, branch: main}
    destination: {group: mirror, name: router, branch: main}
  - source: {group: a, name: b, branch: c}
    destination: {group: d, name: e, branch: f}
  - source: {group: platform/edge, name: router, branch: main}
    destination: {group: mirror, name: router, branch: main}
`

func TestSyncsFromServer(t *testing.T) {
	shipped, err := os.ReadFile("query.graphql")
	require.NoError(t, err)

	router := project.Sync{Source: branchOf("platform/edge", "router", "main"), Destination: branchOf("mirror", "router", "main")}
	want := []project.Sync{router, {Source: branchOf("a", "b", "c"), Destination: branchOf("d", "e", "f")}, router}

	tests := map[string]string{
		"built-in":    "",
		"shipped":     string(shipped),
		"more fields": strings.Replace(string(shipped), "codeComponents {", "name codeComponents { __typename", 1),
		"fragments": `
			{ apps_v1: apps_v1 { ...components } }
			fragment components on App_v1 { codeComponents { gitlabSync { ... on CodeComponentGitlabSync_v1 {
				sourceProject { ...branch } destinationProject { ...branch } } } } }
			fragment branch on CodeComponentGitlabSyncProject_v1 { name group branch }`,
	}
	url := demo(t, demoFile)
	for name, query := range tests {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, graphql.Options{URL: endpoint(t, url), Username: "reader", Password: "secret", Query: query})
			syncs, err := client.Syncs(context.Background())
			require.NoError(t, err)
			require.Equal(t, want, syncs)
		})
	}
}

func TestNoSyncs(t *testing.T) {
	client := newClient(t, graphql.Options{URL: endpoint(t, demo(t, "syncs: []")), Username: "reader", Password: "secret"})
	syncs, err := client.Syncs(context.Background())
	require.NoError(t, err)
	require.Equal(t, []project.Sync{}, syncs)
}

// App-Interface answers 200 with the other syncs when one fails.
func TestPartialAnswerFromServer(t *testing.T) {
	text := demoFile + "  - source: {group: g, name: n, branch: b}\n"
	client := newClient(t, graphql.Options{URL: endpoint(t, demo(t, text)), Username: "reader", Password: "secret"})
	syncs, err := client.Syncs(context.Background())
	require.ErrorContains(t, err, "reported errors: 1")
	require.ErrorContains(t, err, "apps_v1[1].codeComponents[4].gitlabSync.destinationProject")
	require.Nil(t, syncs)
}

func TestUnauthorized(t *testing.T) {
	url := demo(t, demoFile)
	for name, opts := range map[string]graphql.Options{
		"no credentials": {URL: endpoint(t, url)},
		"wrong password": {URL: endpoint(t, url), Username: "reader", Password: "guess-7"},
		"no username":    {URL: endpoint(t, url), Password: "guess-7"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, opts).Syncs(context.Background())
			require.ErrorIs(t, err, graphql.ErrUnauthorized)
			require.EqualError(t, err, `graphql server answered 401 Unauthorized: "unauthorized"`)
		})
	}
}

func TestAnswers(t *testing.T) {
	const whole = `{"gitlabSync":{"sourceProject":{"group":"a","name":"b","branch":"c"},"destinationProject":{"group":"d","name":"e","branch":"f"}}}`
	sync := project.Sync{Source: branchOf("a", "b", "c"), Destination: branchOf("d", "e", "f")}

	tests := map[string]struct {
		body string
		want []project.Sync
		err  string
	}{
		"no apps":         {body: `{"data":{"apps_v1":[]}}`, want: []project.Sync{}},
		"null components": {body: `{"data":{"apps_v1":[{"codeComponents":null},{"codeComponents":[]},{}]}}`, want: []project.Sync{}},
		"null sync":       {body: `{"data":{"apps_v1":[{"codeComponents":[{"gitlabSync":null},` + whole + `]}]}}`, want: []project.Sync{sync}},
		"patterns": {body: `{"data":{"apps_v1":[{"codeComponents":[{"gitlabSync":{"sourceProject":{"group":"a","name":"b","branch":"*"},"destinationProject":{"group":"d","name":"e","branch":"upstream/*"}}}]}]}}`,
			want: []project.Sync{{Source: branchOf("a", "b", "refs/heads/*"), Destination: branchOf("d", "e", "refs/heads/upstream/*")}}},
		"full names": {body: `{"data":{"apps_v1":[{"codeComponents":[{"gitlabSync":{"sourceProject":{"group":"a","name":"b","branch":"refs/heads/c"},"destinationProject":{"group":"d","name":"e","branch":"refs/tags/f"}}}]}]}}`,
			want: []project.Sync{{Source: sync.Source, Destination: branchOf("d", "e", "refs/tags/f")}}},
		"null side":           {body: `{"data":{"apps_v1":[{"codeComponents":[{"gitlabSync":{"sourceProject":null,"destinationProject":{"group":"d","name":"e","branch":"f"}}}]}]}}`, want: []project.Sync{{Destination: sync.Destination}}},
		"unknown fields":      {body: `{"data":{"apps_v1":[{"owner":1,"codeComponents":[` + whole + `]}]},"extensions":{"t":1}}`, want: []project.Sync{sync}},
		"no errors":           {body: `{"data":{"apps_v1":[]},"errors":[]}`, want: []project.Sync{}},
		"null apps":           {body: `{"data":{"apps_v1":null}}`, err: "without apps_v1"},
		"no data":             {body: `{}`, err: "without apps_v1"},
		"null data":           {body: `{"data":null}`, err: "without apps_v1"},
		"null":                {body: `null`, err: "without apps_v1"},
		"null app":            {body: `{"data":{"apps_v1":[{},null]}}`, err: "null for apps_v1[1]"},
		"null component":      {body: `{"data":{"apps_v1":[{"codeComponents":[{},{},null]}]}}`, err: "null for apps_v1[0].codeComponents[2]"},
		"errors without data": {body: `{"errors":[{"message":"boom"},{"message":"bang"}]}`, err: `reported errors: 2, the first: "boom"`},
		"errors with data":    {body: `{"data":{"apps_v1":[{"codeComponents":[` + whole + `]}]},"errors":[{"message":"boom","path":["apps_v1",3]}]}`, err: `reported errors: 1, the first: "apps_v1[3]: boom"`},
		"null error":          {body: `{"data":{"apps_v1":[]},"errors":[null]}`, err: "reported errors: 1"},
		"errors of no list":   {body: `{"data":{"apps_v1":[]},"errors":"boom"}`, err: "not from a graphql server"},
		"login page":          {body: "<html>\n\t<title>Log in</title>", err: `not from a graphql server but a web page: "<html> <title>Log in</title>"`},
		"empty":               {body: "", err: "not from a graphql server"},
		"cut off":             {body: `{"data":{"apps_v1":[`, err: "not from a graphql server"},
		"two values":          {body: `{"data":{"apps_v1":[]}} {}`, err: "not from a graphql server"},
		"long number":         {body: `{"errors":[{"locations":[{"line":` + strings.Repeat("9", 1000) + `}]}]}`, err: "not from a graphql server"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			syncs, err := newClient(t, graphql.Options{URL: endpoint(t, answer(t, http.StatusOK, test.body))}).Syncs(context.Background())
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				require.Less(t, len(err.Error()), 600)
				require.Nil(t, syncs)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, syncs)
		})
	}
}

func TestStatusError(t *testing.T) {
	body := "\x00\x1b[31mdown\r\n\u202efor\xff maintenance " + strings.Repeat("é", 300)
	_, err := newClient(t, graphql.Options{URL: endpoint(t, answer(t, http.StatusBadGateway, body))}).Syncs(context.Background())

	status, ok := errors.AsType[*graphql.StatusError](err)
	require.True(t, ok)
	require.Equal(t, http.StatusBadGateway, status.Code)
	require.Regexp(t, `^down for maintenance é+…$`, status.Body)
	require.Equal(t, 200, utf8.RuneCountInString(status.Body))
	require.Zero(t, status.RetryAfter())
}

func TestWhatStatusesMean(t *testing.T) {
	for code, want := range map[int]error{
		http.StatusUnauthorized: graphql.ErrUnauthorized, http.StatusForbidden: graphql.ErrForbidden, http.StatusNotFound: graphql.ErrNotFound,
		http.StatusGone: graphql.ErrNotFound, http.StatusTooManyRequests: graphql.ErrBusy, http.StatusServiceUnavailable: graphql.ErrBusy,
		http.StatusProxyAuthRequired: httpclient.ErrProxyAuth, http.StatusBadGateway: httpclient.ErrUnavailable, http.StatusGatewayTimeout: httpclient.ErrUnavailable,
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(code)
		})
		_, err := newClient(t, graphql.Options{URL: endpoint(t, url)}).Syncs(context.Background())
		require.ErrorIs(t, err, want, code)
		later, ok := errors.AsType[interface {
			error
			RetryAfter() time.Duration
		}](err)
		require.True(t, ok)
		require.Equal(t, 90*time.Second, later.RetryAfter())
	}
}

func TestSaasFile(t *testing.T) {
	client := newClient(t, graphql.Options{URL: endpoint(t, demo(t, "syncs: []\n")), Username: "reader", Password: "secret"})
	refs, err := client.SaasFile(t.Context(), "saas-git-partition-sync-producer")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"main"}}, refs)
	refs, err = client.SaasFile(t.Context(), "another")
	require.NoError(t, err)
	require.Nil(t, refs)
}

// A part of a saas file that is missing could hide that another version is deployed.
func TestSaasFileIsWhole(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":{"saas_files":null}}`: "without saas_files_v2",
		`{}`:                           "without saas_files_v2",
		`{"data":{"saas_files":[{"name":"other"},null]}}`:                                                      "null for saas_files_v2[1]",
		`{"data":{"saas_files":[{"name":"saas","resourceTemplates":[null]}]}}`:                                 `null for a resource template of "saas"`,
		`{"data":{"saas_files":[{"name":"saas","resourceTemplates":[{"targets":[null]}]}]}}`:                   `null for a target of "saas"`,
		`{"data":{"saas_files":[{"name":"saas","resourceTemplates":[]}]},"errors":[{"message":"half of it"}]}`: "half of it",
	} {
		_, err := newClient(t, graphql.Options{URL: endpoint(t, answer(t, http.StatusOK, body))}).SaasFile(t.Context(), "saas")
		require.ErrorContains(t, err, want, body)
	}
}
