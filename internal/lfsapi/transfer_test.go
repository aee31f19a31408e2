package lfsapi_test

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// random is content of a size, the same each time.
func random(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(content)
	return content
}

// An object goes up and comes down again, whichever way the server has it.
func TestUploadAndDownload(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]gitserver.LFSSwitches{
		"at the git server":   {},
		"in a store":          {Store: true},
		"redirected to store": {Redirect: true},
		"links that end soon": {ExpiresIn: time.Second},
		"links in the past":   {ExpiresIn: -time.Hour},
	} {
		for _, size := range []int{0, 1, 100_000} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				server, client := newServer(t)
				server.Switch(func(s *gitserver.LFSSwitches) { *s = switches })
				content := random(size)
				o := objectOf(content)

				missing := ask(t, client, lfsapi.Download, o)
				require.ErrorIs(t, missing.Err(), lfsapi.ErrMissing)
				require.ErrorIs(t, client.Download(t.Context(), missing, newFile(t, nil)), lfsapi.ErrMissing)

				up := ask(t, client, lfsapi.Upload, o)
				require.NoError(t, up.Err())
				require.True(t, up.Needed())
				require.NoError(t, client.Upload(t.Context(), up, bytes.NewReader(content)))
				stored, err := os.ReadFile(server.Path(repo, o.OID))
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, stored))
				if !switches.Store {
					require.Equal(t, 1, server.Counts().Verified)
				}

				again := ask(t, client, lfsapi.Upload, o)
				require.NoError(t, again.Err())
				require.False(t, again.Needed())
				require.NoError(t, client.Upload(t.Context(), again, nil))
				require.Equal(t, 1, server.Counts().Uploads)

				file := newFile(t, nil)
				require.NoError(t, client.Download(t.Context(), ask(t, client, lfsapi.Download, o), file))
				require.True(t, bytes.Equal(content, contentOf(t, file)))
			})
		}
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	content := random(300_000)
	o := objectOf(content)
	for name, test := range map[string]struct {
		have     []byte
		noRanges bool
		asked    int
	}{
		"nothing":           {nil, false, 1},
		"a part":            {content[:123_456], false, 1},
		"a part, no ranges": {content[:123_456], true, 1},
		"all but one byte":  {content[:len(content)-1], false, 1},
		"all":               {content, false, 0},
		"more than all":     {append(bytes.Clone(content), 'x'), false, 1},
		"another part":      {random(1000), false, 2},
		"all of another":    {make([]byte, len(content)), false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := newServer(t)
			server.Switch(func(s *gitserver.LFSSwitches) { s.NoRanges = test.noRanges })
			_, err := server.Add(repo, content)
			require.NoError(t, err)
			file := newFile(t, test.have)
			require.NoError(t, client.Download(t.Context(), ask(t, client, lfsapi.Download, o), file))
			require.True(t, bytes.Equal(content, contentOf(t, file)))
			require.Equal(t, test.asked, server.Counts().Downloads)
		})
	}
}

// A proxy that ends every answer after a time holds up no object, however large.
func TestDownloadInPieces(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	const piece = 16<<20 + 1
	content := random(3 * piece)
	o, err := server.Add(repo, content)
	require.NoError(t, err)
	file := newFile(t, nil)
	server.Switch(func(s *gitserver.LFSSwitches) { s.BreakAfter = piece })
	require.NoError(t, client.Download(t.Context(), ask(t, client, lfsapi.Download, o), file))
	require.True(t, bytes.Equal(content, contentOf(t, file)))
	require.Equal(t, 3, server.Counts().Downloads)

	server.Switch(func(s *gitserver.LFSSwitches) { s.NoRanges = true }) // nothing would be won
	require.ErrorIs(t, client.Download(t.Context(), ask(t, client, lfsapi.Download, o), newFile(t, nil)), httpclient.ErrNoConnection)
	require.Equal(t, 5, server.Counts().Downloads)
}

// A download that breaks off leaves what has arrived, and the next one goes on from there.
func TestBrokenDownload(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	content := random(1 << 20)
	o, err := server.Add(repo, content)
	require.NoError(t, err)
	server.Switch(func(s *gitserver.LFSSwitches) { s.BreakAfter = 300_000 })
	file := newFile(t, nil)
	transfer := ask(t, client, lfsapi.Download, o)
	for have := 300_000; have < len(content); have += 300_000 {
		err = client.Download(t.Context(), transfer, file)
		require.ErrorIs(t, err, httpclient.ErrNoConnection)
		require.ErrorContains(t, err, "broke off after")
		require.True(t, bytes.Equal(content[:have], contentOf(t, file)))
	}
	require.NoError(t, client.Download(t.Context(), transfer, file))
	require.True(t, bytes.Equal(content, contentOf(t, file)))
}

func TestWrongContent(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	server.Switch(func(s *gitserver.LFSSwitches) { s.WrongContent = true })
	o, err := server.Add(repo, random(1000))
	require.NoError(t, err)
	file := newFile(t, random(1000)[:10])
	err = client.Download(t.Context(), ask(t, client, lfsapi.Download, o), file)
	require.ErrorIs(t, err, lfsapi.ErrMismatch)
	require.ErrorContains(t, err, "its SHA-256 is ")
	require.Empty(t, contentOf(t, file))
	require.Equal(t, 2, server.Counts().Downloads) // the first part could have been wrong
}

// Another size is told before anything is moved.
func TestWrongSize(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	o, err := server.Add(repo, random(1000))
	require.NoError(t, err)
	o.Size++
	for _, op := range []lfsapi.Operation{lfsapi.Download, lfsapi.Upload} {
		transfer := ask(t, client, op, o)
		require.ErrorIs(t, transfer.Err(), lfsapi.ErrRejected)
		require.ErrorContains(t, transfer.Err(), "Object has 1000 bytes")
		require.False(t, transfer.Needed())
	}
}

func TestEnabled(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	for range 2 {
		enabled, err := client.Enabled(t.Context(), repo)
		require.NoError(t, err)
		require.True(t, enabled)
	}
	require.Equal(t, 1, server.Counts().Batches)

	without, err := gitserver.Start(t.TempDir(), login) // Git's own backend answers
	require.NoError(t, err)
	t.Cleanup(func() { _ = without.Close() })
	require.NoError(t, without.Create(t.Context(), repo))
	client = newClient(t, without.URL(), lfsapi.Options{})
	enabled, err := client.Enabled(t.Context(), repo)
	require.NoError(t, err)
	require.False(t, enabled)
	_, err = client.Batch(t.Context(), repo, lfsapi.Upload, []lfs.Object{objectOf(nil)})
	require.ErrorIs(t, err, lfsapi.ErrDisabled)
}

// A transfer that no server has answered for says nothing of the object.
func TestZeroTransfer(t *testing.T) {
	t.Parallel()
	client := newClient(t, "http://127.0.0.1:1", lfsapi.Options{})
	var zero lfsapi.Transfer
	require.Error(t, zero.Err())
	require.False(t, zero.Needed())
	require.ErrorContains(t, client.Upload(t.Context(), zero, nil), "not asked")
	require.ErrorContains(t, client.Download(t.Context(), zero, newFile(t, nil)), "not asked")
	server, client := newServer(t)
	o, err := server.Add(repo, []byte("x"))
	require.NoError(t, err)
	require.ErrorContains(t, client.Upload(t.Context(), ask(t, client, lfsapi.Download, o), nil), `for an operation of "download"`)
	require.ErrorContains(t, client.Download(t.Context(), ask(t, client, lfsapi.Upload, o), nil), `for an operation of "upload"`)
}

// Many objects take a request for each hundred; one that is there twice is asked about twice.
func TestManyObjects(t *testing.T) {
	t.Parallel()
	server, client := newServer(t)
	there, err := server.Add(repo, []byte("there"))
	require.NoError(t, err)
	var objects []lfs.Object
	for i := range 250 {
		objects = append(objects, objectOf([]byte{byte(i), byte(i >> 8)}))
	}
	other := there
	other.Size = 7
	objects = append(objects, there, other, there)
	transfers, err := client.Batch(t.Context(), repo, lfsapi.Upload, objects)
	require.NoError(t, err)
	require.Equal(t, 3+2, server.Counts().Batches)
	for i, transfer := range transfers {
		require.Equal(t, objects[i], transfer.Object)
		require.Equal(t, i < 250, transfer.Needed())
		require.Equal(t, i == 251, transfer.Err() != nil)
	}
	none, err := client.Batch(t.Context(), repo, lfsapi.Upload, nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestStatusesOfLinks(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		http.StatusUnauthorized:          lfsapi.ErrLinkRefused,
		http.StatusForbidden:             lfsapi.ErrLinkRefused,
		http.StatusRequestEntityTooLarge: lfsapi.ErrTooLarge,
		http.StatusUnprocessableEntity:   lfsapi.ErrRejected,
		http.StatusTooManyRequests:       lfsapi.ErrBusy,
		http.StatusInternalServerError:   lfsapi.ErrServerFailed,
		http.StatusServiceUnavailable:    lfsapi.ErrUnavailable,
		http.StatusInsufficientStorage:   lfsapi.ErrFull,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			server, client := newServer(t)
			server.Switch(func(s *gitserver.LFSSwitches) {
				s.UploadStatus, s.DownloadStatus, s.RetryAfter = status, status, "86400"
			})
			content := random(10)
			err := client.Upload(t.Context(), ask(t, client, lfsapi.Upload, objectOf(content)), bytes.NewReader(content))
			require.ErrorIs(t, err, want)
			_, err = server.Add(repo, content)
			require.NoError(t, err)
			err = client.Download(t.Context(), ask(t, client, lfsapi.Download, objectOf(content)), newFile(t, nil))
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, http.StatusText(status)) // the server's words
		})
	}
}
