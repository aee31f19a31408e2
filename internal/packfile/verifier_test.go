package packfile

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func testPack(objects string) string {
	return repack("PACK\x00\x00\x00\x02\x00\x00\x00\x01" + objects + strings.Repeat("x", sha1.Size))
}

func TestVerifier(t *testing.T) {
	good := testPack(strings.Repeat("object", 100))
	for name, tt := range map[string]struct {
		pack string
		want error
	}{
		"whole":         {good, nil},
		"no objects":    {testPack(""), nil},
		"version 3":     {repack(strings.Replace(good, "\x02", "\x03", 1)), nil},
		"version 4":     {repack(strings.Replace(good, "\x02", "\x04", 1)), ErrCorrupt},
		"not a pack":    {repack("JACK" + good[4:]), ErrCorrupt},
		"changed":       {strings.Replace(good, "object", "0bject", 1), ErrCorrupt},
		"longer":        {good + "x", ErrCorrupt},
		"shorter":       {good[:len(good)-1], ErrCorrupt},
		"only a header": {good[:12], io.ErrUnexpectedEOF},
		"empty":         {"", io.ErrUnexpectedEOF},
	} {
		for reader, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
			"with the error": iotest.DataErrReader, "in halves": iotest.HalfReader,
		} {
			t.Run(name+"/"+reader, func(t *testing.T) {
				verifier := NewVerifier(wrap(strings.NewReader(tt.pack)))
				got, err := io.ReadAll(verifier)
				require.ErrorIs(t, err, tt.want)
				if tt.want == nil {
					require.Equal(t, tt.pack, string(got))
					require.EqualValues(t, 1, verifier.Objects())
				}
			})
		}
	}
}

// That a stream broke off is said as it was.
func TestVerifierPassesErrorsOn(t *testing.T) {
	broken := errors.New("connection reset")
	for _, before := range []string{"", "PA", testPack("object")} {
		verifier := NewVerifier(io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken)))
		got, err := io.ReadAll(verifier)
		require.Equal(t, before, string(got))
		require.Equal(t, broken, err)
	}
	require.Zero(t, NewVerifier(nil).Objects(), "nothing has been read")
}

// What is kept of a pack does not grow with it.
func TestVerifierKeepsLittle(t *testing.T) {
	verifier := NewVerifier(strings.NewReader(testPack(strings.Repeat("object", 100_000))))
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, verifier, make([]byte, 1000))
	require.NoError(t, err)
	require.Less(t, cap(verifier.header)+cap(verifier.trailer), 5000)
}

// repack corrects the trailer.
func repack(pack string) string {
	body := pack[:len(pack)-sha1.Size]
	sum := sha1.Sum([]byte(body))
	return body + string(sum[:])
}

func FuzzVerifier(f *testing.F) {
	f.Add([]byte(testPack("objects")), 7)
	f.Add([]byte(testPack("")), 1)
	f.Add([]byte("PACK"), 20)
	f.Fuzz(func(t *testing.T, pack []byte, step int) {
		step = max(1, step%64)
		verifier := NewVerifier(bytes.NewReader(pack))
		var got []byte
		var err error
		for buffer := make([]byte, step); err == nil; {
			var n int
			n, err = verifier.Read(buffer)
			got = append(got, buffer[:n]...)
		}
		require.Equal(t, whole(pack), err == io.EOF, "%v", err)
		require.True(t, bytes.HasPrefix(pack, got))
	})
}

// whole says the same as the verifier, with the pack at hand.
func whole(pack []byte) bool {
	if len(pack) < headerSize+sha1.Size {
		return false
	}
	body, trailer := pack[:len(pack)-sha1.Size], pack[len(pack)-sha1.Size:]
	sum := sha1.Sum(body)
	version := string(body[4:8])
	return string(body[:4]) == "PACK" && (version == "\x00\x00\x00\x02" || version == "\x00\x00\x00\x03") && bytes.Equal(sum[:], trailer)
}
