package notify_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/notify"
)

const (
	hidden   = "T0/B0/a-long-token-of-slack"
	password = "pass-word-of-alerts"
)

// receiver is one at a server's address, with all kinds of secrets in it.
func receiver(t *testing.T, server string, format notify.Format) notify.Receiver {
	t.Helper()
	u, err := url.Parse(strings.Replace(server, "://", "://user:"+password+"@", 1) + "/services/" + hidden + "?key=a-key-in-the-query")
	require.NoError(t, err)
	return notify.Receiver{URL: *u, Format: format, HTTP: httpclient.New(nil), Agent: "git-partition-sync/1"}
}

func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{"a-long-token", password, "a-key-in"} {
		require.NotContains(t, err.Error(), secret)
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	for format, path := range map[notify.Format]string{
		notify.JSON: "/services/" + hidden, notify.Slack: "/services/" + hidden, notify.Alertmanager: "/services/" + hidden + "/api/v2/alerts",
	} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			user, word, _ := r.BasicAuth()
			assert.Equal(t, []string{"POST", path, "key=a-key-in-the-query", "application/json", "git-partition-sync/1", "user", password},
				[]string{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), r.UserAgent(), user, word})
			want, _ := format.Body(message())
			body, _ := io.ReadAll(r.Body)
			assert.JSONEq(t, string(want), string(body))
			w.WriteHeader(http.StatusAccepted)
		}))
		t.Cleanup(server.Close)
		require.NoError(t, receiver(t, server.URL, format).Send(t.Context(), message()))
		require.Equal(t, 1, asked)
	}
}

// Alertmanager is named by its base, or by the path of its alerts.
func TestAlertmanagersPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "/api/v2/alerts", "/": "/api/v2/alerts", "/am/": "/am/api/v2/alerts", "/api/v2/alerts": "/api/v2/alerts", "/am/api/v2/alerts/": "/am/api/v2/alerts/",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { assert.Equal(t, want, r.URL.Path) }))
		t.Cleanup(server.Close)
		u, err := url.Parse(server.URL + path)
		require.NoError(t, err)
		require.NoError(t, notify.Receiver{URL: *u, Format: notify.Alertmanager, HTTP: httpclient.New(nil)}.Send(t.Context(), message()))
	}
}

// Whatever a receiver answers, it is said with the status and the receiver's first words, and without any of its secrets.
func TestReceiversThatDoNotTakeIt(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	for what, tt := range map[string]struct {
		answer http.HandlerFunc
		kind   error
		says   string
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "no_service\x1b[2J")
		}, notify.ErrRefused, ": notification refused (http status 404): no_service"},
		"too many": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}, notify.ErrFailed, ": notification not delivered (http status 429) (retry after 7s)"},
		"broken": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "<html>")
		}, notify.ErrFailed, ": notification not delivered (http status 500)"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusBadGateway)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat("for ever ", 1000))
			}
		}, notify.ErrFailed, ": notification not delivered (http status 502): for ever for ever"},
		"echo": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"path":"`+r.URL.RequestURI()+`","auth":"`+r.Header.Get("Authorization")+`"}`)
		}, notify.ErrRefused, ": notification refused (http status 400): {"},
		"moved": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/"+hidden, http.StatusTemporaryRedirect)
		}, notify.ErrRefused, ": notification refused (http status 307): it redirects to " + elsewhere.URL},
		"moved, here": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusFound)
		}, notify.ErrRefused, ": notification refused (http status 302): it redirects to http://127.0.0.1"},
		"gone": {func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); assert.NoError(t, err) {
				_ = conn.Close()
			}
		}, notify.ErrFailed, "closed the connection without an answer"},
	} {
		server := httptest.NewServer(tt.answer)
		t.Cleanup(server.Close)
		err := receiver(t, server.URL, notify.JSON).Send(t.Context(), message())
		require.ErrorIs(t, err, tt.kind, what)
		require.ErrorContains(t, err, tt.says, what)
		require.ErrorContains(t, err, strings.TrimPrefix(server.URL, "http://"), what)
		require.Less(t, len(err.Error()), 600, what)
		requireNoSecret(t, err)
	}
}

func TestReceiversThatAreNotThere(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	for at, says := range map[string]string{gone.URL: "connection to 127.0.0.1", "http://no-such-host.invalid": "host \"no-such-host.invalid\""} {
		err := receiver(t, at, notify.Slack).Send(t.Context(), message())
		require.ErrorIs(t, err, notify.ErrFailed)
		require.ErrorIs(t, err, httpclient.ErrNoConnection)
		require.ErrorContains(t, err, says)
		requireNoSecret(t, err)
	}
}

// transport answers in place of a server.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// drip is an answer's body of which a byte comes every second.
type drip struct{ ctx context.Context }

func (d drip) Read(b []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		return copy(b, "."), nil
	}
}
func (d drip) Close() error { return nil }

// A receiver is not waited for: neither one that says nothing, nor one that goes on for ever.
func TestSilentReceivers(t *testing.T) {
	for what, tt := range map[string]struct {
		answer transport
		within time.Duration
		says   string
	}{
		"silent": {func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 5 * time.Second, "has sent nothing for 5s"},
		"slow": {func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{"Content-Type": {"text/plain"}}, Body: drip{r.Context()}, Request: r}, nil
		}, 10 * time.Second, "notification not delivered (http status 502): ........."},
		"taken, and slow": {func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: drip{r.Context()}, Request: r}, nil
		}, 0, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := receiver(t, "https://hooks.example.com", notify.Slack)
			r.HTTP = &http.Client{Transport: tt.answer}
			began := time.Now()
			err := r.Send(t.Context(), message())
			require.Equal(t, tt.within, time.Since(began), what)
			if tt.says == "" {
				require.NoError(t, err, what)
				return
			}
			require.ErrorContains(t, err, tt.says, what)
			require.ErrorIs(t, err, notify.ErrFailed, what)
			requireNoSecret(t, err)
		})
	}
}

// Nobody may read more of the address than the host.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][]string{
		"https://hooks.slack.com/services/" + hidden: {"a-long-token-of-slack"},
		"https://user:word@example.com/a?key=b":      {"/a", "b", "word", "user:word"},
		"https://token-alone@example.com":            {"token-alone"},
		"http://alertmanager:9093/":                  nil,
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, want, notify.Secrets(*u), address)
	}
}
