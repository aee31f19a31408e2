package activities

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// A pointer may say less than the object has, and exactly so many segments. What the bucket has then is the beginning of another
// object: the list does not promise it, or no consumer could send it.
func TestPointerToTheBeginningOfAnLFSObject(t *testing.T) {
	t.Parallel()
	r := newLFSSourceRig(t)
	o := r.large("stands for a larger one")
	short := lfs.Object{OID: o.OID, Size: lfs.SegmentSize}
	r.commitLFS("main", nil, short)
	p := r.nextLFS()
	encryptedSize, err := crypt.EncryptedSize(r.producer.Recipients)
	require.NoError(t, err)
	second := strings.TrimSuffix(r.lfsKey(o), "1.age") + "2.age"
	behind := http.StatusOK
	r.lag.alter = func(resp *http.Response) {
		path := resp.Request.URL.Path
		status, size := http.StatusOK, encryptedSize(lfs.SegmentSize)
		switch {
		case resp.Request.Method != http.MethodHead:
			return
		case strings.HasSuffix(path, second):
			status, size = behind, 300
		case !strings.HasSuffix(path, r.lfsKey(o)):
			return
		}
		resp.StatusCode, resp.ContentLength = status, size
		resp.Header.Set("Content-Length", strconv.FormatInt(size, 10))
		resp.Header.Set("Etag", `"x"`)
		resp.Header.Set("Last-Modified", "Fri, 27 Nov 2026 08:00:00 GMT")
		resp.Header.Set("X-Amz-Meta-Keys", r.producer.recipientsFingerprint())
	}
	sent := must(r, r.sendLFS, p).SentLFS
	require.Equal(t, []int{0, 1}, []int{sent.There, sent.Missing}, "it has another size at the source")
	behind = http.StatusNotFound
	sent = must(r, r.sendLFS, p).SentLFS
	require.Equal(t, []int{1, 0}, []int{sent.There, sent.Missing})
}
