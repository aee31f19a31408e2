package activities

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"slices"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/app-sre/git-partition-sync/internal/crypt"
)

// object is the first one that was downloaded.
func (r *rig) object(d consuming) []byte {
	r.Helper()
	run, err := r.consumer.Staging.Run(d.Staged.Run)
	require.NoError(r, err)
	f, err := run.Open(numbered(objectFile, 0))
	require.NoError(r, err)
	defer f.Close()
	content, err := io.ReadAll(f)
	require.NoError(r, err)
	return content
}

// receive puts content in its place.
func (r *rig) receive(d consuming, content []byte) {
	r.Helper()
	run, err := r.consumer.Staging.Run(d.Staged.Run)
	require.NoError(r, err)
	require.NoError(r, run.Create(numbered(objectFile, 0), func(f *os.File) error {
		_, err := f.Write(content)
		return err
	}))
}

// requireRefused checks that the object that was received is not pushed.
func (r *rig) requireRefused(d consuming, kinds []string, what string, n int) {
	r.Helper()
	_, err := execute(r, r.decrypt, d)
	var failure *temporal.ApplicationError
	require.ErrorAs(r, err, &failure, "%s %d", what, n)
	require.Contains(r, kinds, failure.Type(), "%s %d", what, n)
}

func TestFlippedBytesAreRefused(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit(random(300_000))
	r.produce()
	d := r.received()
	object := r.object(d)
	require.Greater(t, len(object), 300_000)

	var at []int
	for i := range 256 {
		at = append(at, i) // the header, and the nonce
	}
	for i := 4096; i < len(object); i += 4096 {
		at = append(at, i)
	}
	for _, i := range append(at, len(object)-1) {
		object[i] ^= 0x20
		r.receive(d, object)
		r.requireRefused(d, []string{"ForeignObject", "WrongKey", "CorruptObject"}, "byte", i)
		object[i] ^= 0x20
	}
	r.receive(d, object)
	must(r, r.push, must(r, r.decrypt, d))
	require.Equal(t, tip, r.tip())
}

func TestCutObjectsAreRefused(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	tip := r.commit(random(100_000))
	r.produce()
	d := r.received()
	object := r.object(d)
	plaintext := r.open(object)
	edges, end := boundaries(t, plaintext)

	t.Run("ciphertext", func(t *testing.T) {
		const chunk = 64<<10 + 16 // of age, with its tag
		head := len(object) - (len(plaintext) + (len(plaintext)+64<<10-1)/(64<<10)*16)
		for i := range object {
			nearEdge := (i-head+1)%chunk <= 2
			if i%997 == 0 || nearEdge || i == len(object)-1 {
				r.receive(d, object[:i])
				r.requireRefused(d, []string{"ForeignObject", "CorruptObject"}, "bytes", i)
			}
		}
	})
	t.Run("archive", func(t *testing.T) {
		for _, edge := range edges {
			for _, i := range []int{edge - 1, edge, edge + 1} {
				if i < 0 || i >= end {
					continue
				}
				r.receive(d, r.seal(plaintext[:i]))
				r.requireRefused(d, []string{"MalformedObject"}, "bytes", i)
			}
		}
	})
	// What is cut behind the bundle takes nothing away.
	r.receive(d, r.seal(plaintext[:(end+511)/512*512]))
	must(r, r.push, must(r, r.decrypt, d))
	require.Equal(t, tip, r.tip())
}

// boundaries are where the header of each member of a tar, and its content, begin and end. The last
// member's end comes with them.
func boundaries(t *testing.T, content []byte) (at []int, end int) {
	t.Helper()
	whole := bytes.NewReader(content)
	r := tar.NewReader(whole)
	for {
		header, err := r.Next()
		if err == io.EOF {
			return slices.Compact(at), end
		}
		require.NoError(t, err)
		begin := len(content) - whole.Len()
		end = begin + int(header.Size)
		at = append(at, begin-512, begin, end, (end+511)/512*512)
	}
}

func (r *rig) open(object []byte) []byte {
	r.Helper()
	plaintext, err := crypt.Decrypt(bytes.NewReader(object), r.consumer.Identities)
	require.NoError(r, err)
	content, err := io.ReadAll(plaintext)
	require.NoError(r, err)
	return content
}

func (r *rig) seal(content []byte) []byte {
	r.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r.producer.Recipients...)
	require.NoError(r, err)
	_, err = w.Write(content)
	require.NoError(r, err)
	require.NoError(r, w.Close())
	return out.Bytes()
}
