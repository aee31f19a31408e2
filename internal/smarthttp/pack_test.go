package smarthttp

import (
	"crypto/sha1"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func testPack(objects string) string {
	body := "PACK\x00\x00\x00\x02\x00\x00\x00\x01" + objects
	sum := sha1.Sum([]byte(body))
	return body + string(sum[:])
}

func TestPackVerifier(t *testing.T) {
	good := testPack(strings.Repeat("object", 100))
	for name, tt := range map[string]struct {
		pack string
		want error
	}{
		"whole":         {good, nil},
		"no objects":    {testPack(""), nil},
		"version 3":     {repack(strings.Replace(good, "\x02", "\x03", 1)), nil},
		"version 4":     {repack(strings.Replace(good, "\x02", "\x04", 1)), ErrCorruptPack},
		"not a pack":    {repack("JACK" + good[4:]), ErrCorruptPack},
		"changed":       {strings.Replace(good, "object", "0bject", 1), ErrCorruptPack},
		"longer":        {good + "x", ErrCorruptPack},
		"shorter":       {good[:len(good)-1], ErrCorruptPack},
		"only a header": {good[:12], io.ErrUnexpectedEOF},
		"empty":         {"", io.ErrUnexpectedEOF},
	} {
		for reader, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
			"with the error": iotest.DataErrReader, "in halves": iotest.HalfReader,
		} {
			t.Run(name+"/"+reader, func(t *testing.T) {
				got, err := io.ReadAll(newPackVerifier(wrap(strings.NewReader(tt.pack))))
				require.ErrorIs(t, err, tt.want)
				if tt.want == nil {
					require.Equal(t, tt.pack, string(got))
				}
			})
		}
	}
}

// repack corrects the trailer.
func repack(pack string) string {
	body := pack[:len(pack)-sha1.Size]
	sum := sha1.Sum([]byte(body))
	return body + string(sum[:])
}
