package performance_test

import (
	"bufio"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/requests"
)

// gitTraffic is what a Git server was asked, and how many bytes of bodies it was sent and has sent.
type gitTraffic struct {
	requests.Counter
	in, out atomic.Int64
}

func newGitTraffic() *gitTraffic { return &gitTraffic{Counter: requests.NewCounter()} }

func (g *gitTraffic) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Body = requests.Body{ReadCloser: r.Body, N: &g.in}
		g.Count(requests.GitKind(r))
		next.ServeHTTP(countedAnswer{rw, &g.out}, r)
	})
}

type countedAnswer struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c countedAnswer) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// Unwrap is for http.ResponseController.
func (c countedAnswer) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// takeBucket returns what the S3 server was asked since it was called last.
func (w *world) takeBucket() map[string]int {
	w.Helper()
	log, err := os.Open(filepath.Join(w.Dir(), "logs", "s3.log"))
	require.NoError(w, err)
	defer func() { _ = log.Close() }()
	_, err = log.Seek(w.s3Log, io.SeekStart)
	require.NoError(w, err)
	counts := map[string]int{}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		w.s3Log += int64(len(lines.Bytes())) + 1
		// time | vgw | status | duration | address | method | path | error | query
		cells := strings.Split(lines.Text(), "|")
		if len(cells) < 9 || strings.TrimSpace(cells[1]) != "vgw" {
			continue
		}
		r := &http.Request{Method: strings.TrimSpace(cells[5]), URL: &url.URL{Path: strings.TrimSpace(cells[6]), RawQuery: strings.TrimSpace(cells[8])}}
		counts[requests.BucketKind(r)]++
	}
	require.NoError(w, lines.Err())
	return counts
}

// stored is the size of everything in a bucket, by its path and the time of its last change.
func (w *world) stored(bucket string) map[string]int64 {
	w.Helper()
	sizes := map[string]int64{}
	require.NoError(w, filepath.WalkDir(filepath.Join(w.Dir(), "s3", "data", bucket), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sizes[path+info.ModTime().String()] = info.Size()
		}
		return err
	}))
	return sizes
}
