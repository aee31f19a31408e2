package smarthttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

const (
	patience = 200 * time.Millisecond
	upload   = "application/x-git-upload-pack-advertisement"
	receive  = "application/x-git-receive-pack-advertisement"
)

// stuck starts a server that does not come back from what handler says.
func stuck(t *testing.T, limits smarthttp.Limits, handler func(w http.ResponseWriter, r *http.Request, hang func())) *smarthttp.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler(w, r, func() {
			if w.Header().Get("Content-Type") != "" { // the answer has begun
				_ = http.NewResponseController(w).Flush()
			}
			<-t.Context().Done()
		})
	}))
	t.Cleanup(server.Close)
	return newClientWith(t, server.URL, smarthttp.Options{Limits: limits})
}

func TestSilentServers(t *testing.T) {
	t.Parallel()
	ref := strings.Repeat("a", 40) + " refs/heads/x\x00report-status side-band-64k\n"
	heads := func(c *smarthttp.Client) error {
		_, err := headsOf(t.Context(), c, repo, "main")
		return err
	}
	push := func(c *smarthttp.Client) error {
		return c.Push(t.Context(), smarthttp.PushRequest{
			Repo: repo, Updates: []smarthttp.RefUpdate{{Ref: "refs/heads/main", New: absent}}, Pack: strings.NewReader("PACK"), PackSize: 4,
		})
	}
	// Nothing but the limit in question is short.
	for name, tt := range map[string]struct {
		limits smarthttp.Limits
		answer func(w http.ResponseWriter, r *http.Request, hang func())
		do     func(*smarthttp.Client) error
		want   string
	}{
		"no answer to a discovery": {smarthttp.Limits{Discovery: patience}, func(_ http.ResponseWriter, _ *http.Request, hang func()) { hang() },
			heads, "has not answered in full for 200ms"},
		"no answer to a fetch": {smarthttp.Limits{Discovery: patience}, func(_ http.ResponseWriter, _ *http.Request, hang func()) { hang() },
			func(c *smarthttp.Client) error {
				_, err := c.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{absent}})
				return err
			}, "has not answered in full for 200ms"},
		"a list of refs that stops": {smarthttp.Limits{Discovery: patience}, func(w http.ResponseWriter, _ *http.Request, hang func()) {
			w.Header().Set("Content-Type", upload)
			_, _ = io.WriteString(w, pkt(ref))
			hang()
		}, heads, "has not answered in full for 200ms"},
		"a list of refs without an end": {smarthttp.Limits{Discovery: patience}, func(w http.ResponseWriter, _ *http.Request, _ func()) {
			w.Header().Set("Content-Type", upload)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, pkt(ref))
			}
		}, heads, "has not answered in full for 200ms"},
		"a list of many refs without an end": {smarthttp.Limits{List: patience}, func(w http.ResponseWriter, _ *http.Request, _ func()) {
			w.Header().Set("Content-Type", upload)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, pkt(ref))
			}
		}, func(c *smarthttp.Client) error {
			return c.EachRef(t.Context(), repo, smarthttp.Wanted{Prefixes: []string{"refs/tags/"}}, nil)
		}, "has not answered in full for 200ms"},
		"a list of refs before a push": {smarthttp.Limits{Advertisement: patience}, func(w http.ResponseWriter, _ *http.Request, hang func()) {
			w.Header().Set("Content-Type", receive)
			_, _ = io.WriteString(w, pkt(ref))
			hang()
		}, push, "has not answered in full for 200ms"},
		"no answer to a push": {smarthttp.Limits{Answer: patience}, func(w http.ResponseWriter, r *http.Request, hang func()) {
			if r.Method == http.MethodGet {
				w.Header().Set("Content-Type", receive)
				_, _ = io.WriteString(w, pkt(ref)+"0000")
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			hang()
		}, push, "has sent nothing for 200ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.do(stuck(t, tt.limits, tt.answer))
			require.ErrorIs(t, err, httpclient.ErrSilent)
			require.ErrorContains(t, err, ".git: the server ")
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A pack that stops in the middle ends the fetch; one that only takes its time does not.
func TestPackThatStops(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second // is enough for a busy machine
	for name, stops := range map[string]bool{"stops": true, "is slow": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slow := relayed(func(w http.ResponseWriter, body []byte) {
				for i := range body[:len(body)/20*20] {
					_, _ = w.Write(body[i : i+1])
					if i%(len(body)/20) != 0 {
						continue
					}
					_ = http.NewResponseController(w).Flush()
					if i > 0 && stops {
						<-t.Context().Done()
					}
					time.Sleep(limit / 10)
				}
				_, _ = w.Write(body[len(body)/20*20:])
			})
			server, _ := newServer(t, slow)
			tip := commit(t, server, "main", strings.Repeat(payload, 10))
			client := newClientWith(t, server.URL(), smarthttp.Options{Limits: smarthttp.Limits{Idle: limit}})
			stream, err := client.FetchPack(t.Context(), smarthttp.FetchRequest{Repo: repo, Wants: []string{tip}})
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, stream)
			require.NoError(t, stream.Close())
			if stops {
				require.ErrorIs(t, err, httpclient.ErrSilent)
				require.ErrorContains(t, err, "has sent nothing for 2s")
				return
			}
			require.NoError(t, err)
		})
	}
}
