package statuspage

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/fleet"
)

func TestAnswers(t *testing.T) {
	view := consumerView()
	for name, tt := range map[string]struct {
		method, target string
		latest         func() (fleet.View, bool)
		status         int
		contentType    string
		want           string
	}{
		"page":                   {target: "/", status: http.StatusOK, contentType: "text/html; charset=utf-8", want: "1 of 5 syncs fails, 1 never arrived, 1 is behind, 1 is paused"},
		"JSON":                   {target: "/status.json", status: http.StatusOK, contentType: "application/json", want: `"role": "consumer"`},
		"nothing but reading":    {method: http.MethodPost, target: "/", status: http.StatusMethodNotAllowed, want: "this page is only to be read\n"},
		"unknown state":          {target: "/?state=good", status: http.StatusBadRequest, want: "state is \"good\", and none of failing, never_arrived, behind, paused, in_sync\n"},
		"unknown state, as JSON": {target: "/status.json?state=good", status: http.StatusBadRequest, want: "state is \"good\""},
		"no page":                {target: "/?page=0", status: http.StatusBadRequest, want: "page is \"0\", and no number from 1 to 1000000\n"},
		"too often":              {target: "/?refresh=1", status: http.StatusBadRequest, want: "refresh is \"1\", and no number from 5 to 3600\n"},
		"nothing read yet": {
			target: "/", latest: func() (fleet.View, bool) { return fleet.View{}, false }, status: http.StatusServiceUnavailable,
			want: "how the syncs are is not known yet: the worker reads it within some seconds of its start",
		},
		"nothing new": {
			target: "/status.json", latest: func() (fleet.View, bool) { return fleet.View{ReadAt: now.Add(-3 * time.Minute)}, false }, status: http.StatusServiceUnavailable,
			want: "what is known of the syncs is too old to be shown: it was read 3 minutes ago, at 2026-03-14 10:29:11 UTC; /readyz and the worker's log say why",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := handlerOf(t, view)
			if tt.latest != nil {
				h.Latest = tt.latest
			}
			w := httptest.NewRecorder()
			if tt.method == "" {
				tt.method = http.MethodGet
			}
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.target, nil))
			require.Equal(t, tt.status, w.Code)
			if tt.contentType == "" {
				tt.contentType = "text/plain; charset=utf-8"
			}
			require.Equal(t, tt.contentType, w.Header().Get("Content-Type"))
			require.Contains(t, w.Body.String(), tt.want)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-")
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'")
			require.NotContains(t, w.Header().Get("Content-Security-Policy"), "unsafe")
		})
	}
	require.Equal(t, consumerView(), view, "nothing of it is the handler's to change")
}

// A page that loads itself anew goes on when the worker has nothing to show for a moment.
func TestRefreshOnlyIfAsked(t *testing.T) {
	h := handlerOf(t, consumerView())
	require.Empty(t, get(t, h, "/").Header.Get("Refresh"))
	require.Equal(t, "30", get(t, h, "/?refresh=30").Header.Get("Refresh"))
	require.Contains(t, text(t, h, "/?refresh=30&q=proxy"), "Loads anew every 30 s: <a href=\"?q=proxy\">stop</a>")
	h.Latest = func() (fleet.View, bool) { return fleet.View{}, false }
	answer := get(t, h, "/?refresh=30")
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Equal(t, "30", answer.Header.Get("Refresh"))
}

// A real server sends no body to HEAD.
func TestHead(t *testing.T) {
	server := httptest.NewServer(handlerOf(t, consumerView()))
	t.Cleanup(server.Close)
	answer, err := http.Head(server.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Empty(t, body)
}

func TestJSON(t *testing.T) {
	h := handlerOf(t, consumerView())
	read := func(target string) (view fleet.View) {
		require.NoError(t, json.NewDecoder(get(t, h, target).Body).Decode(&view))
		return view
	}
	require.Equal(t, consumerView().Syncs, read("/status.json").Syncs)
	failing := read("/status.json?state=failing")
	require.Len(t, failing.Syncs, 1)
	require.Equal(t, "PushRefused", failing.Syncs[0].Failure.Kind)
	require.Equal(t, 3900*time.Millisecond, failing.CycleTook)
	require.Len(t, read("/status.json?q=tools").Syncs, 2)
	require.Contains(t, text(t, h, "/status.json?q=nothing+of+this"), `"syncs": []`)

	h = handlerOf(t, manyView(3*rowsPerPage))
	require.Len(t, read("/status.json?page=2").Syncs, 3*rowsPerPage, "a program need not turn pages")
}

func text(t *testing.T, h http.Handler, target string) string {
	t.Helper()
	body, err := io.ReadAll(get(t, h, target).Body)
	require.NoError(t, err)
	return string(body)
}

// shown returns what a page shows, without its elements.
func shown(page string) string {
	var out strings.Builder
	for piece := range strings.SplitSeq(page, "<") {
		_, after, _ := strings.Cut(piece, ">")
		out.WriteString(after + " ")
	}
	return strings.Join(strings.Fields(out.String()), " ")
}
