// Package statuspage serves how all syncs of a side are: as a page for people, and as JSON.
//
// It only reads. It asks nobody who they are, so everything that others have written is cleaned, masked and escaped, and a
// page can do nothing but show: no scripts, nothing from elsewhere, no frames.
package statuspage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	// sendTimeout is how long a page may take to be read. A page that nobody reads is not kept for longer.
	sendTimeout = 30 * time.Second
	// maxReaders is how many pages are made and sent at a time. As JSON, 10,000 syncs that fail are 10 MB: whoever asks for very many
	// pages must not take the memory and the processors that syncs need.
	maxReaders = 8
)

// Handler serves "/" and "/status.json".
type Handler struct {
	// Latest returns how all syncs are, and whether that is recent enough to be shown. It is zero if it was never known.
	Latest func() (fleet.View, bool)
	// UI and Namespace are where the workflows of syncs are shown.
	UI        config.UI
	Namespace string
	// Mask knows the secrets of the program.
	Mask  *foreign.Mask
	Clock func() time.Time

	readers atomic.Int32
	// What was cleaned last: the view, and its texts by what they were.
	cleaning sync.Mutex
	cleaned  fleet.View
	texts    map[string]string
}

// ServeHTTP implements http.Handler. It answers 503 with the reason while there is nothing to be shown, 400 to a query that it
// does not understand.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout)) // a recorder of tests has none
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this page is only to be read", http.StatusMethodNotAllowed)
		return
	}
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if q.Refresh > 0 { // a header, so that a page that is not there for a moment comes back by itself
		w.Header().Set("Refresh", fmt.Sprint(q.Refresh))
	}
	defer h.readers.Add(-1)
	if h.readers.Add(1) > maxReaders {
		w.Header().Set("Retry-After", "5")
		http.Error(w, fmt.Sprintf("%d others read this page just now: try again", maxReaders), http.StatusServiceUnavailable)
		return
	}
	view, ok := h.latest()
	if !ok {
		w.Header().Set("Retry-After", "15")
		http.Error(w, whyNot(view, h.Clock()), http.StatusServiceUnavailable)
		return
	}
	contentType, write := "text/html; charset=utf-8", h.writePage
	if r.URL.Path == "/status.json" {
		contentType, write = "application/json", h.writeJSON
	}
	var body bytes.Buffer // as a whole, so that nobody gets half a page with status 200
	if err := write(&body, view, q); err != nil {
		http.Error(w, h.Mask.Line(err.Error(), maxText), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = body.WriteTo(w) // who is gone needs no answer
}

// headers of every answer. The style is the only thing that a page uses besides itself.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; style-src '" + styleHash + "'; img-src data:; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
	"Referrer-Policy":              "no-referrer",
}

// whyNot says why there is nothing to be shown, and what to do.
func whyNot(view fleet.View, now time.Time) string {
	if view.ReadAt.IsZero() {
		return "how the syncs are is not known yet: the worker reads it within some seconds of its start, when Temporal answers; " +
			"if this stays, /readyz and the worker's log say why"
	}
	return fmt.Sprintf("what is known of the syncs is too old to be shown: it was read %s, at %s; /readyz and the worker's log say why nothing newer could be read",
		ago(view.ReadAt, now), exact(view.ReadAt))
}

// writeJSON writes the view with the syncs that the query wants, all on one page.
func (h *Handler) writeJSON(body *bytes.Buffer, view fleet.View, q query) error {
	found := q.find(view.Syncs)
	view.Syncs = make([]fleet.Sync, len(found)) // none is [], not null
	for i, s := range found {
		view.Syncs[i] = *s
	}
	encoder := json.NewEncoder(body)
	encoder.SetIndent("", "  ")
	return encoder.Encode(view)
}
