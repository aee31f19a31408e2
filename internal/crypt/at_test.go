package crypt_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/crypt"
)

func decryptAt(ciphertext []byte, identities ...age.Identity) ([]byte, error) {
	r, err := crypt.DecryptAt(bytes.NewReader(ciphertext), int64(len(ciphertext)), identities)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// A file is what a stream of the same bytes is, and so are the errors of what is damaged.
func TestDecryptAtIsLikeDecrypt(t *testing.T) {
	t.Parallel()
	identity := newIdentity(t)
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 20*chunk + 7} {
		want := random(size)
		ciphertext := encrypt(t, want, identity.Recipient())
		got, err := decryptAt(ciphertext, newIdentity(t), identity)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%d bytes", size)

		_, err = decryptAt(ciphertext, newIdentity(t))
		require.ErrorIs(t, err, crypt.ErrWrongKey)
		_, err = decryptAt(append(ciphertext, 'x'), identity)
		require.ErrorIs(t, err, crypt.ErrCorrupt)
		for n := 0; n < len(ciphertext); n += 1 + n/400*9973 {
			_, err := decryptAt(ciphertext[:n], identity)
			want := crypt.ErrCorrupt
			if n < 22 {
				want = crypt.ErrNotAge
			}
			require.ErrorIs(t, err, want, "%d of %d bytes", n, len(ciphertext))
		}
		for i := 0; i < len(ciphertext); i += 1 + i/400*9973 {
			damaged := bytes.Clone(ciphertext)
			damaged[i] ^= 1
			_, want := decrypt(bytes.NewReader(damaged), identity)
			_, err := decryptAt(damaged, identity)
			for _, kind := range []error{crypt.ErrNotAge, crypt.ErrWrongKey, crypt.ErrCorrupt} {
				require.Equal(t, errors.Is(want, kind), errors.Is(err, kind), "byte %d: %v", i, err)
			}
		}
	}
	_, err := crypt.DecryptAt(strings.NewReader(""), 0, nil)
	require.ErrorContains(t, err, "no identities")
}

// breaking is a file whose disk fails when it is read from an offset on.
type breaking struct {
	*bytes.Reader
	from int64
	err  error
}

func (b breaking) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > b.from {
		return 0, b.err
	}
	return b.Reader.ReadAt(p, offset)
}

func TestDecryptAtKeepsReadErrors(t *testing.T) {
	t.Parallel()
	identity := newIdentity(t)
	ciphertext := encrypt(t, random(3*chunk), identity.Recipient())
	for _, want := range []error{errors.New("input/output error"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 10, 22, 100, 190, 210, chunk, 2*chunk + 50, len(ciphertext) - 1} {
			r, err := crypt.DecryptAt(breaking{bytes.NewReader(ciphertext), int64(n), want}, int64(len(ciphertext)), []age.Identity{identity})
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			require.ErrorIs(t, err, want, "%d of %d bytes", n, len(ciphertext))
			for _, not := range []error{crypt.ErrCorrupt, crypt.ErrNotAge, crypt.ErrWrongKey} {
				require.NotErrorIs(t, err, not, "%d of %d bytes", n, len(ciphertext))
			}
		}
	}
}

// late is a file that fails once its beginning and its end have been read.
type late struct {
	*bytes.Reader
	end int64
	err error
}

func (l late) ReadAt(p []byte, offset int64) (int, error) {
	if offset > 2*chunk && offset+int64(len(p)) < l.end {
		return 0, l.err
	}
	return l.Reader.ReadAt(p, offset)
}

func TestDecryptAtKeepsLateReadErrors(t *testing.T) {
	t.Parallel()
	identity := newIdentity(t)
	ciphertext := encrypt(t, random(40*chunk), identity.Recipient())
	want := errors.New("input/output error")
	r, err := crypt.DecryptAt(late{bytes.NewReader(ciphertext), int64(len(ciphertext)) - chunk, want}, int64(len(ciphertext)), []age.Identity{identity})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, r)
	require.ErrorIs(t, err, want)
	require.NotErrorIs(t, err, crypt.ErrCorrupt)
}
