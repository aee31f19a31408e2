package lfsapi_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

// world is servers of any names, over https and http. The batch API is at every one of them.
type world struct {
	mu       sync.Mutex
	requests []request

	link     map[string]any                                      // the action for every object
	verify   map[string]any                                      // likewise
	more     string                                              // of every object: `,"authenticated":true`
	handlers map[string]func(http.ResponseWriter, *http.Request) // by "https://host/path", for what is not the batch API
}

// request is one that some server got.
type request struct {
	method, url string // without the query
	header      http.Header
	body        string
}

const (
	git   = "https://git.example"
	store = "https://store.example"
)

// newWorld has the content at git/object and at store/object.
func newWorld(content []byte) *world {
	serve := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }
	return &world{handlers: map[string]func(http.ResponseWriter, *http.Request){git + "/object": serve, store + "/object": serve}}
}

func (v *world) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	body, _ := io.ReadAll(r.Body)
	at := scheme + r.Host + r.URL.Path
	v.mu.Lock()
	v.requests = append(v.requests, request{r.Method, at, r.Header, string(body)})
	v.mu.Unlock()
	if handler := v.handlers[at]; handler != nil {
		handler(w, r)
		return
	}
	if r.Method == http.MethodPost && strings.HasSuffix(at, ".git/info/lfs/objects/batch") {
		v.batch(w, body)
	}
}

func (v *world) batch(w http.ResponseWriter, body []byte) {
	var asked struct {
		Operation string
		Objects   []lfs.Object
	}
	_ = json.Unmarshal(body, &asked)
	actions, _ := json.Marshal(map[string]any{asked.Operation: v.link, "verify": v.verify})
	w.Header().Set("Content-Type", mediaType)
	var objects []string
	for _, o := range asked.Objects {
		objects = append(objects, fmt.Sprintf(`{"oid":%q,"size":%d,"actions":%s%s}`, o.OID, o.Size, actions, v.more))
	}
	_, _ = io.WriteString(w, batchOf(objects...))
}

// client is one of the Git server at base, for which all names lead into the world.
func (v *world) client(t *testing.T, base string) *lfsapi.Client {
	t.Helper()
	plain, secure := httptest.NewServer(v), httptest.NewUnstartedServer(v)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	dial := func(to *httptest.Server) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, to.Listener.Addr().String())
		}
	}
	transport := &http.Transport{DialContext: dial(plain)}
	transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(secure)(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return tls.Client(connection, &tls.Config{InsecureSkipVerify: true}), nil
	}
	t.Cleanup(transport.CloseIdleConnections)
	return newClient(t, base, lfsapi.Options{
		HTTP:            &http.Client{Transport: transport},
		AllowRedirectTo: func(project string) bool { return strings.Trim(project, "/") == "group/renamed" },
	})
}

// to are the requests that one server got, but for batches.
func (v *world) to(server string) (got []request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.requests {
		if strings.HasPrefix(r.url, server+"/") && !strings.HasSuffix(r.url, "/batch") {
			got = append(got, r)
		}
	}
	return got
}

// checkNoCredentials holds every request to another server than the Git server to what that may get.
func (v *world) checkNoCredentials(t *testing.T) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	ours := basicAuth()
	require.NotEmpty(t, v.requests)
	for _, r := range v.requests {
		if !strings.HasPrefix(strings.Replace(r.url, ":443/", "/", 1), git+"/") {
			text := fmt.Sprint(r)
			require.NotContains(t, text, ours)
			require.NotContains(t, text, login.Password)
			require.Empty(t, r.header["Referer"])
		}
	}
}

// basicAuth is what the client's own credentials look like.
func basicAuth() string {
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(login.User, login.Password)
	return req.Header.Get("Authorization")
}
