package graphql_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/graphql"
)

// serve runs the handler and returns its URL.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestRequest(t *testing.T) {
	custom := `{ apps_v1 { owner codeComponents { gitlabSync {
		sourceProject { name group branch } destinationProject { name group branch } } } } }`

	for name, query := range map[string]string{"built-in": "", "custom": custom} {
		t.Run(name, func(t *testing.T) {
			requests := make(chan *http.Request, 1)
			bodies := make(chan map[string]any, 1)
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				var body map[string]any
				_ = json.NewDecoder(r.Body).Decode(&body)
				requests <- r
				bodies <- body
				_, _ = io.WriteString(w, `{"data":{"apps_v1":[]}}`)
			})
			client := newClient(t, graphql.Options{URL: endpoint(t, url+"/graphql"), Username: "reader", Query: query})
			_, err := client.Syncs(context.Background())
			require.NoError(t, err)

			r, body := <-requests, <-bodies
			require.Equal(t, http.MethodPost, r.Method)
			require.Equal(t, "/graphql", r.URL.Path)
			require.Equal(t, "application/json", r.Header.Get("Content-Type"))
			username, password, ok := r.BasicAuth()
			require.True(t, ok)
			require.Equal(t, "reader", username)
			require.Empty(t, password)
			require.Len(t, body, 1, "an operation name was sent")
			if query == "" {
				require.Contains(t, body["query"], "query gitlabSyncs {")
			} else {
				require.Equal(t, query, body["query"])
			}
		})
	}
}

func TestNoCredentialsNoHeader(t *testing.T) {
	headers := make(chan http.Header, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		_, _ = io.WriteString(w, `{"data":{"apps_v1":[]}}`)
	})
	_, err := newClient(t, graphql.Options{URL: endpoint(t, url)}).Syncs(context.Background())
	require.NoError(t, err)
	require.NotContains(t, <-headers, "Authorization")
}

func TestRedirects(t *testing.T) {
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") })
	host := mustHost(t, other)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/graphql", http.StatusPermanentRedirect)
		case "/elsewhere":
			http.Redirect(w, r, other+"/?token=t0ken", http.StatusTemporaryRedirect)
		case "/page":
			http.Redirect(w, r, "/sign_in", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
		default:
			if _, password, _ := r.BasicAuth(); password != "secret" || r.Method != http.MethodPost {
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = io.WriteString(w, `{"data":{"apps_v1":[]}}`)
		}
	})
	tests := map[string]string{
		"/moved":     "",
		"/elsewhere": `redirected to another server "http://` + host + `"`,
		"/loop":      "redirected more than 5 times",
		"/page":      "redirected: a POST would become a GET",
	}
	for path, want := range tests {
		t.Run(path, func(t *testing.T) {
			_, err := newClient(t, graphql.Options{URL: endpoint(t, url+path), Username: "reader", Password: "secret"}).Syncs(context.Background())
			if want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, graphql.ErrRedirected)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "t0ken")
		})
	}
}

func TestRedirectToPlainHTTP(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	_, err := newClient(t, graphql.Options{URL: endpoint(t, server.URL), HTTP: server.Client()}).Syncs(context.Background())
	require.ErrorContains(t, err, "redirected to another server")
}

func TestEchoedCredentialsAreMasked(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("reader:s3cret"))
	tests := map[string]struct {
		status int
		body   string
	}{
		"error page":    {http.StatusBadGateway, "Authorization: Basic " + basic + " (reader:s3cret)"},
		"login page":    {http.StatusOK, "password s3cret is wrong for " + basic},
		"graphql error": {http.StatusOK, `{"errors":[{"message":"` + basic + ` s3cret"}]}`},
		"error's path":  {http.StatusOK, `{"errors":[{"message":"m","path":["s3cret"]}]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, graphql.Options{URL: endpoint(t, answer(t, test.status, test.body)), Username: "reader", Password: "s3cret"})
			_, err := client.Syncs(context.Background())
			require.ErrorContains(t, err, "***")
			require.NotContains(t, err.Error(), "s3cret")
			require.NotContains(t, err.Error(), basic)
		})
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client := newClient(t, graphql.Options{URL: endpoint(t, server.URL+"/?token=t0ken"), Password: "secret"})
	_, err := client.Syncs(context.Background())
	require.ErrorContains(t, err, `query graphql server "`+mustHost(t, server.URL)+`": `)
	require.NotContains(t, err.Error(), "t0ken")
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, err := newClient(t, graphql.Options{URL: endpoint(t, url)}).Syncs(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(`{"data":{"apps_v1":[{"codeComponents":[{"gitlabSync":{"sourceProject":{"name":"n"},"destinationProject":null}}]}]}}`))
	f.Add(200, []byte(`{"data":{"apps_v1":[null]},"errors":[{"message":"m","path":["a",1]}]}`))
	f.Add(200, []byte(`{"errors":[null]}`))
	f.Add(401, []byte("<html>\x00secret"))
	f.Add(302, []byte{})

	f.Fuzz(func(t *testing.T, status int, body []byte) {
		client := newClient(t, graphql.Options{
			URL: endpoint(t, "http://graphql.invalid/"), Username: "reader", Password: "s3cret",
			HTTP: &http.Client{Transport: canned{status, string(body)}},
		})
		syncs, err := client.Syncs(context.Background())
		require.Equal(t, err == nil, syncs != nil)
		if err == nil {
			require.True(t, status >= 200 && status <= 299)
			require.True(t, json.Valid(body))
			return
		}
		require.NotContains(t, err.Error(), "s3cret")
		require.Less(t, len(err.Error()), 5000)
	})
}

// canned answers without a network, so that the fuzzer is fast.
type canned struct {
	status int
	body   string
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Body: io.NopCloser(strings.NewReader(c.body)), Request: r}, nil
}

func mustHost(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Host
}
