package statuspage

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"time"
)

// BenchmarkTenThousandSyncs is what a side of 10,000 syncs costs, of which 500 fail: time, and bytes that are sent.
func BenchmarkTenThousandSyncs(b *testing.B) {
	view := manyView(10_000)
	h := &Handler{Latest: func() (fleet.View, bool) { return view, true }, UI: config.UI{}, Namespace: "fedramp", Mask: foreign.NewMask("glpat-very-secret-token"), Clock: func() time.Time { return now }}
	for name, target := range map[string]string{"first page": "/", "last page": "/?page=50", "one team": "/?q=team-07", "json": "/status.json", "failing as json": "/status.json?state=failing"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, target, nil))
				n, err := io.Copy(io.Discard, w.Body)
				if err != nil || w.Code != http.StatusOK {
					b.Fatal(w.Code, err)
				}
				size = int(n)
			}
			b.ReportMetric(float64(size), "bytes/page")
		})
	}
}
