package webhook

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// served is a server on the loopback interface, and what became of deliveries to it.
type served struct {
	address string
	mu      sync.Mutex
	counts  map[Outcome]int
	pushes  atomic.Int64
}

func serve(t testing.TB) *served {
	t.Helper()
	s := &served{counts: map[Outcome]int{}}
	secrets, err := ParseSecrets(token)
	require.NoError(t, err)
	h := NewHandler(secrets, func(context.Context, Push) (bool, error) { s.pushes.Add(1); return true, nil }, func(o Outcome) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.counts[o]++
	})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := NewServer(h)
	go server.Serve(Limit(l))
	t.Cleanup(func() { _ = server.Close() })
	s.address = l.Addr().String()
	return s
}

func (s *served) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *served) post(t testing.TB, client *http.Client, body []byte, header http.Header) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+"/", bytes.NewReader(body))
	require.NoError(t, err)
	r.Header = header
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	require.NoError(t, err)
	return answer.StatusCode
}

// Senders that send nothing, or a byte now and then, are hung up on, and those who know a secret are served meanwhile.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	s := serve(t)
	begun := map[string]string{
		"nothing":     "",
		"headers":     "POST / HTTP/1.1\r\nHost: a\r\n",
		"body":        fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Gitea-Signature: %s\r\nContent-Length: 1000\r\n\r\n", strings.Repeat("0", 64)),
		"no delivery": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
	}
	var ended sync.WaitGroup
	for name, text := range begun {
		c := s.dial(t)
		_, err := c.Write([]byte(text))
		require.NoError(t, err)
		ended.Go(func() {
			start := time.Now()
			go func() {
				for {
					time.Sleep(200 * time.Millisecond)
					if _, err := c.Write([]byte("X")); err != nil {
						return
					}
				}
			}()
			_, _ = io.Copy(io.Discard, c)
			if took := time.Since(start); took > requestTimeout+3*time.Second {
				t.Errorf("%s: hung up on after %s", name, took)
			}
		})
	}
	require.Equal(t, http.StatusAccepted, s.post(t, http.DefaultClient, recorded(t, "gitlab-push.json"), headerOf("X-Gitlab-Token", token)))
	ended.Wait()
	require.EqualValues(t, 1, s.pushes.Load())
}

func TestHugeHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.dial(t)
	go func() {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nX-Gitlab-Token: ")
		for range 1 << 10 {
			if _, err := io.WriteString(c, strings.Repeat("x", 1<<10)); err != nil {
				return
			}
		}
	}()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
	require.Empty(t, s.counts, "it does not get to the handler")
}

// Who holds all connections that are served keeps others waiting, and not for long.
func TestAllConnectionsTaken(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{"nothing is sent": "", "a request that is refused": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			for range maxConnections {
				_, err := io.WriteString(s.dial(t), sent)
				require.NoError(t, err)
			}
			start := time.Now()
			require.Equal(t, http.StatusAccepted, s.post(t, &http.Client{Transport: &http.Transport{}}, recorded(t, "gitlab-push.json"), headerOf("X-Gitlab-Token", token)))
			require.Less(t, time.Since(start), headerTimeout+3*time.Second)
		})
	}
}

// A flood of large bodies by who knows no secret takes no more memory than is set aside for it.
func TestFloodOfBodies(t *testing.T) {
	s := serve(t)
	body := bytes.Repeat([]byte(" "), maxBody)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: maxConnections}}
	var peak atomic.Uint64
	measure := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak.Store(max(peak.Load(), m.HeapAlloc))
	}
	runtime.GC()
	measure()
	before := peak.Load()
	var senders sync.WaitGroup
	for range 64 {
		senders.Go(func() {
			for range 4 {
				if status := s.post(t, client, body, headerOf("X-Gitea-Signature", strings.Repeat("0", 64))); status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
					t.Errorf("status %d", status)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		case <-time.After(5 * time.Millisecond):
			measure()
		}
	}
	t.Logf("heap: %d MiB before, %d MiB at most", before>>20, peak.Load()>>20)
	require.Less(t, peak.Load()-before, uint64(128<<20)) // bodies, what they outgrew, and garbage
	require.Zero(t, s.pushes.Load())
}

// BenchmarkRefusals shows what a refusal costs, by why and over how many connections.
func BenchmarkRefusals(b *testing.B) {
	push := recorded(b, "gitlab-push.json")
	for name, bm := range map[string]struct {
		body   []byte
		header http.Header
		status int
	}{
		"no secret":                {push, headerOf(), http.StatusUnauthorized},
		"wrong token":              {push, headerOf("X-Gitlab-Token", "a-wrong-token-of-16"), http.StatusUnauthorized},
		"wrong signature":          {push, headerOf("X-Gitea-Signature", strings.Repeat("0", 64)), http.StatusUnauthorized},
		"wrong signature of 1 MiB": {bytes.Repeat([]byte(" "), maxBody), headerOf("X-Gitea-Signature", strings.Repeat("0", 64)), http.StatusUnauthorized},
		"too many":                 {push, headerOf("X-Gitlab-Token", token), 0},
	} {
		b.Run(name, func(b *testing.B) {
			s := serve(b)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
			b.SetParallelism(4)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if status := s.post(b, client, bm.body, bm.header); bm.status != 0 && status != bm.status {
						b.Errorf("status %d", status)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refusals/s")
		})
	}
}
