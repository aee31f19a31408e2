package lfsapi_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/testserver/pipeserver"
)

// pipeClient is a client on the fake clock of testing/synctest.
func pipeClient(t *testing.T, limits lfsapi.Limits, handler http.HandlerFunc) *lfsapi.Client {
	t.Helper()
	return newClient(t, pipeserver.URL, lfsapi.Options{HTTP: pipeserver.Start(t, handler), Limits: limits})
}

// linksToItself answers every batch with a link to the server's own /object.
func linksToItself(w http.ResponseWriter, r *http.Request, o lfs.Object) bool {
	if !strings.HasSuffix(r.URL.Path, "/batch") {
		return false
	}
	w.Header().Set("Content-Type", mediaType)
	link := map[string]any{"href": pipeserver.URL + "/object"}
	_, _ = io.WriteString(w, batchOf(withActions(o, map[string]any{"download": link, "upload": link, "verify": link})))
	return true
}

// A busy server is asked again after the pause that it wants, if that is not too long, and three times at most.
func TestPauses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status     int
		retryAfter string
		busy       int // for so many requests
		requests   int
		waited     time.Duration
		want       error
	}{
		"no pause given":   {429, "", 2, 3, 5 * time.Second, nil},
		"a pause":          {503, "7", 2, 3, 14 * time.Second, nil},
		"busy for long":    {429, "20", 9, 3, 40 * time.Second, lfsapi.ErrBusy},
		"a longer pause":   {429, "31", 9, 1, 0, lfsapi.ErrBusy},
		"a day":            {503, "86400", 9, 1, 0, lfsapi.ErrUnavailable},
		"nonsense":         {503, "soon", 1, 2, time.Second, nil},
		"negative":         {503, "-5", 1, 2, time.Second, nil},
		"what is not busy": {502, "1", 9, 1, 0, lfsapi.ErrUnavailable},
	} {
		for _, what := range []string{"batch", "download", "upload"} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					requests := 0
					client := pipeClient(t, lfsapi.Limits{}, func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						if what != "batch" && linksToItself(w, r, objectOf(content)) {
							return
						}
						requests++
						switch {
						case requests <= test.busy:
							w.Header().Set("Retry-After", test.retryAfter)
							w.WriteHeader(test.status)
						case !linksToItself(w, r, objectOf(content)):
							_, _ = w.Write(content)
						}
					})
					transfers, err := client.Batch(t.Context(), repo, operationOf(what), []lfs.Object{objectOf(content)})
					began := time.Now()
					switch what {
					case "batch":
						began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when synctest's clock begins
					case "download":
						err = client.Download(t.Context(), transfers[0], newFile(t, nil))
					case "upload":
						err = client.Upload(t.Context(), transfers[0], bytes.NewReader(content))
						if test.want == nil {
							requests-- // to verify
						}
					}
					require.ErrorIs(t, err, test.want)
					require.Equal(t, test.requests, requests)
					require.Equal(t, test.waited, time.Since(began))
					if seconds, convErr := strconv.Atoi(test.retryAfter); err != nil && convErr == nil {
						var asked interface{ RetryAfter() time.Duration }
						require.ErrorAs(t, err, &asked)
						require.Equal(t, time.Duration(seconds)*time.Second, asked.RetryAfter())
					}
				})
			})
		}
	}
}

func operationOf(what string) lfsapi.Operation {
	if what == "upload" {
		return lfsapi.Upload
	}
	return lfsapi.Download
}

// A server that stops is not waited for longer than its limit. Nothing but that limit is short.
func TestSilentServers(t *testing.T) {
	t.Parallel()
	const limit = 10 * time.Second
	big := random(1 << 20)
	for name, test := range map[string]struct {
		limits lfsapi.Limits
		op     lfsapi.Operation
		answer func(w http.ResponseWriter, r *http.Request, hang func())
		want   string
	}{
		"no answer to a batch": {lfsapi.Limits{Batch: limit}, "", func(_ http.ResponseWriter, _ *http.Request, hang func()) { hang() }, "LFS objects: the server has "},
		"half an answer to a batch": {lfsapi.Limits{Batch: limit}, "", func(w http.ResponseWriter, _ *http.Request, hang func()) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(w, `{"objects":[`)
			hang()
		}, "read the answer: the server has"},
		"a batch in drops": {lfsapi.Limits{Batch: limit}, "", func(w http.ResponseWriter, _ *http.Request, _ func()) {
			w.Header().Set("Content-Type", mediaType)
			for err := error(nil); err == nil; err = http.NewResponseController(w).Flush() {
				_, _ = io.WriteString(w, " ")
				time.Sleep(time.Second)
			}
		}, "has not answered in full for 10s"},
		"an error in drops": {lfsapi.Limits{Batch: limit}, "", func(w http.ResponseWriter, _ *http.Request, hang func()) {
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(http.StatusInternalServerError)
			hang()
		}, "http status 500"},
		"no answer to a download": {lfsapi.Limits{Idle: limit, Answer: limit}, lfsapi.Download, func(_ http.ResponseWriter, _ *http.Request, hang func()) { hang() }, "has sent nothing for 10s"},
		"a download that stops": {lfsapi.Limits{Idle: limit}, lfsapi.Download, func(w http.ResponseWriter, _ *http.Request, hang func()) {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(big[:1000])
			hang()
		}, "broke off after 1000 of 1048576 bytes: the server has sent nothing for"},
		"an upload that is not taken": {lfsapi.Limits{Idle: limit}, lfsapi.Upload, func(_ http.ResponseWriter, _ *http.Request, hang func()) { hang() }, "has taken nothing more of the request for 10s"},
		"no answer to an upload": {lfsapi.Limits{Answer: limit}, lfsapi.Upload, func(_ http.ResponseWriter, r *http.Request, hang func()) {
			_, _ = io.Copy(io.Discard, r.Body)
			hang()
		}, "has sent nothing for 10s"},
		"a refused upload in drops": {lfsapi.Limits{}, lfsapi.Upload, func(w http.ResponseWriter, r *http.Request, hang func()) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "why")
			hang()
		}, "http status 500): why"},
		"no answer to a verification": {lfsapi.Limits{Batch: limit}, lfsapi.Upload, func(_ http.ResponseWriter, r *http.Request, hang func()) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Method == http.MethodPost {
				hang()
			}
		}, "verify: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				over := make(chan struct{})
				defer func() {
					close(over)
					time.Sleep(time.Second) // that net/http's server takes to close a connection
				}()
				client := pipeClient(t, test.limits, func(w http.ResponseWriter, r *http.Request) {
					if test.op != "" && linksToItself(w, r, objectOf(big)) {
						return
					}
					test.answer(w, r, func() {
						if w.Header().Get("Content-Type") != "" { // the answer has begun
							_ = http.NewResponseController(w).Flush()
						}
						<-over
					})
				})
				began := time.Now()
				transfers, err := client.Batch(t.Context(), repo, operationOf(string(test.op)), []lfs.Object{objectOf(big)})
				switch test.op {
				case lfsapi.Download:
					err = client.Download(t.Context(), transfers[0], newFile(t, nil))
				case lfsapi.Upload:
					err = client.Upload(t.Context(), transfers[0], bytes.NewReader(big))
				}
				require.ErrorContains(t, err, test.want)
				require.LessOrEqual(t, time.Since(began), limit+time.Second)
				if !strings.HasPrefix(test.want, "http status") {
					require.ErrorIs(t, err, httpclient.ErrSilent)
				}
			})
		})
	}
}

// That a project has LFS is kept for ten minutes. That it has none is not, nor are failures: commits that come right after LFS
// was switched on would go without their files.
func TestEnabledIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests, status := 0, http.StatusInternalServerError
		client := pipeClient(t, lfsapi.Limits{}, func(w http.ResponseWriter, r *http.Request) {
			requests++
			if status == http.StatusOK {
				linksToItself(w, r, lfs.Object{OID: objectOf(nil).OID})
				return
			}
			w.WriteHeader(status)
		})
		_, err := client.Enabled(t.Context(), repo)
		require.ErrorIs(t, err, lfsapi.ErrServerFailed)
		for _, enabled := range []bool{false, true, false} {
			before := requests
			status = map[bool]int{false: http.StatusNotFound, true: http.StatusOK}[enabled]
			for range 3 {
				got, err := client.Enabled(t.Context(), repo)
				require.NoError(t, err)
				require.Equal(t, enabled, got)
			}
			asked := map[bool]int{false: 3, true: 1}[enabled]
			require.Equal(t, before+asked, requests)
			_, err := client.Enabled(t.Context(), "group/other")
			require.NoError(t, err)
			require.Equal(t, before+asked+1, requests)
			if enabled {
				time.Sleep(10 * time.Minute)
			}
		}
	})
}
