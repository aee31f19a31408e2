package crypt_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/crypt"
)

// chunk is how much plaintext age encrypts and authenticates at a time.
const chunk = 64 << 10

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func encrypt(t require.TestingT, plaintext []byte, recipient age.Recipient) []byte {
	var b bytes.Buffer
	w, err := crypt.Encrypt(&b, []age.Recipient{recipient})
	require.NoError(t, err)
	_, err = w.Write(plaintext)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func decrypt(src io.Reader, identities ...age.Identity) ([]byte, error) {
	r, err := crypt.Decrypt(src, identities)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestRoundTripWithAge(t *testing.T) {
	identity := newIdentity(t)
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3*chunk + 7} {
		want := random(size)
		ciphertext := encrypt(t, want, identity.Recipient())

		r, err := age.Decrypt(bytes.NewReader(ciphertext), identity)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, want, got, "age reads ours of %d bytes", size)

		var b bytes.Buffer
		w, err := age.Encrypt(&b, newIdentity(t).Recipient(), identity.Recipient())
		require.NoError(t, err)
		_, err = w.Write(want)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		got, err = decrypt(iotest.OneByteReader(&b), newIdentity(t), identity)
		require.NoError(t, err)
		require.Equal(t, want, got, "we read age's of %d bytes", size)
	}
}

func TestDecryptWrongKey(t *testing.T) {
	ciphertext := encrypt(t, random(10), newIdentity(t).Recipient())
	_, err := decrypt(bytes.NewReader(ciphertext), newIdentity(t), newIdentity(t))
	require.ErrorIs(t, err, crypt.ErrWrongKey)
	require.NotErrorIs(t, err, crypt.ErrCorrupt)
}

func TestNoKeys(t *testing.T) {
	_, err := crypt.Encrypt(io.Discard, nil)
	require.ErrorContains(t, err, "no recipients")
	_, err = crypt.Decrypt(strings.NewReader(""), nil)
	require.ErrorContains(t, err, "no identities")
}

func TestDecryptForeignFile(t *testing.T) {
	var armored bytes.Buffer
	w := armor.NewWriter(&armored)
	_, err := w.Write(encrypt(t, random(10), newIdentity(t).Recipient()))
	require.NoError(t, err)
	require.NoError(t, w.Close())

	for name, content := range map[string]string{
		"empty": "", "short": "age-encryption.org/v1", "next version": "age-encryption.org/v2\n-> X25519", "armored": armored.String(),
		"zeros": strings.Repeat("\x00", 1<<20), "tar": "manifest.json\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		_, err := decrypt(strings.NewReader(content), newIdentity(t))
		require.ErrorIs(t, err, crypt.ErrNotAge, name)
		require.Less(t, len(err.Error()), 200, name)
	}
}

func TestDecryptTruncated(t *testing.T) {
	identity := newIdentity(t)
	ciphertext := encrypt(t, random(2*chunk+100), identity.Recipient())
	header := bytes.Index(ciphertext, []byte("\n--- "))
	offsets := []int{header, header + 10, header + 60, len(ciphertext) - 1, len(ciphertext) - 116, len(ciphertext) - 117, len(ciphertext) - 115}
	for i := 22; i < len(ciphertext); i += 997 {
		offsets = append(offsets, i)
	}
	for _, n := range offsets {
		_, err := decrypt(bytes.NewReader(ciphertext[:n]), identity)
		require.ErrorIs(t, err, crypt.ErrCorrupt, "%d of %d bytes", n, len(ciphertext))
	}
}

func TestDecryptBitFlip(t *testing.T) {
	identity := newIdentity(t)
	ciphertext := encrypt(t, random(chunk+100), identity.Recipient())
	header := bytes.Index(ciphertext, []byte("\n--- "))
	for i := 0; i < len(ciphertext); i += 1 + i/300*101 {
		damaged := bytes.Clone(ciphertext)
		damaged[i] ^= 1
		_, err := decrypt(bytes.NewReader(damaged), identity)
		switch {
		case i < 22:
			require.ErrorIs(t, err, crypt.ErrNotAge, "bit %d", i)
		case i < header && errors.Is(err, crypt.ErrWrongKey):
			// The stanza that was ours isn't any more.
		default:
			require.ErrorIs(t, err, crypt.ErrCorrupt, "bit %d", i)
		}
	}
}

func TestDecryptTrailingData(t *testing.T) {
	identity := newIdentity(t)
	for _, size := range []int{10, chunk} {
		ciphertext := append(encrypt(t, random(size), identity.Recipient()), 'x')
		_, err := decrypt(bytes.NewReader(ciphertext), identity)
		require.ErrorIs(t, err, crypt.ErrCorrupt)
	}
}

func TestDecryptBoundsErrorText(t *testing.T) {
	header := "age-encryption.org/v1\n->" + strings.Repeat("x", 1<<20) + "\n"
	_, err := decrypt(strings.NewReader(header), newIdentity(t))
	require.ErrorIs(t, err, crypt.ErrCorrupt)
	require.Less(t, len(err.Error()), 300)
}

func TestDecryptEndlessHeader(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("age-encryption.org/v1\n"), zeros{})
	_, err := decrypt(endless, newIdentity(t))
	require.ErrorIs(t, err, crypt.ErrCorrupt)
}

func TestDecryptKeepsReadErrors(t *testing.T) {
	identity := newIdentity(t)
	ciphertext := encrypt(t, random(2*chunk), identity.Recipient())
	for _, want := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 10, 22, 100, 190, 210, chunk, 2*chunk + 50, len(ciphertext)} {
			src := io.MultiReader(bytes.NewReader(ciphertext[:n]), iotest.ErrReader(want))
			_, err := decrypt(src, identity)
			require.ErrorIs(t, err, want, "%d of %d bytes", n, len(ciphertext))
			for _, not := range []error{crypt.ErrCorrupt, crypt.ErrNotAge, crypt.ErrWrongKey} {
				require.NotErrorIs(t, err, not, "%d of %d bytes", n, len(ciphertext))
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestMemoryIsFlat(t *testing.T) {
	const size = 64 << 20
	identity := newIdentity(t)
	r, w := io.Pipe()
	go func() {
		enc, err := crypt.Encrypt(w, []age.Recipient{identity.Recipient()})
		if err == nil {
			_, err = io.CopyN(enc, zeros{}, size)
		}
		if err == nil {
			err = enc.Close()
		}
		w.CloseWithError(err)
	}()
	plaintext, err := crypt.Decrypt(r, []age.Identity{identity})
	require.NoError(t, err)

	_, err = io.CopyN(io.Discard, plaintext, size/2)
	require.NoError(t, err)
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	require.Less(t, stats.HeapAlloc, uint64(8<<20))

	n, err := io.Copy(io.Discard, plaintext)
	require.NoError(t, err)
	require.EqualValues(t, size/2, n)
}

// The key is a new one in every process, so the input is what replaces the end
// of a file that is encrypted to it.
func FuzzDecrypt(f *testing.F) {
	identity := newIdentity(f)
	want := random(100)
	ciphertext := encrypt(f, want, identity.Recipient())
	f.Add(uint(0), []byte("age-encryption.org/v1\n-> X25519 a\n\n--- b\n"))
	f.Add(uint(22), []byte("-> X25519 a\n\n--- b\n"))
	f.Add(uint(len(ciphertext)-1), []byte("x"))
	f.Add(uint(len(ciphertext)), []byte{})
	f.Fuzz(func(t *testing.T, keep uint, tail []byte) {
		data := append(bytes.Clone(ciphertext[:keep%uint(len(ciphertext)+1)]), tail...)
		got, err := decrypt(bytes.NewReader(data), identity)
		if err == nil {
			require.Equal(t, ciphertext, data)
			require.Equal(t, want, got)
			return
		}
		require.True(t, errors.Is(err, crypt.ErrNotAge) || errors.Is(err, crypt.ErrWrongKey) || errors.Is(err, crypt.ErrCorrupt), "%v", err)
	})
}

// The size is right to the byte, whoever can read it and however chunks end.
func TestEncryptedSize(t *testing.T) {
	postQuantum, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	two := []age.Recipient{newIdentity(t).Recipient(), newIdentity(t).Recipient()}
	for _, recipients := range [][]age.Recipient{two[:1], two, {postQuantum.Recipient()}} {
		of, err := crypt.EncryptedSize(recipients)
		require.NoError(t, err)
		for _, size := range []int64{0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk + 7} {
			var b bytes.Buffer
			w, err := crypt.Encrypt(&b, recipients)
			require.NoError(t, err)
			_, err = w.Write(random(int(size)))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.EqualValues(t, b.Len(), of(size), "of %d bytes for %d recipients", size, len(recipients))
		}
	}
	_, err = crypt.EncryptedSize(nil)
	require.Error(t, err, "for nobody")
}
