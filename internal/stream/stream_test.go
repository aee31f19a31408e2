package stream_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/stream"
)

var errBroken = errors.New("broken pipe")

func TestReader(t *testing.T) {
	tests := map[string]struct {
		from        io.Reader
		err, failed error
	}{
		"whole":      {strings.NewReader("text"), io.EOF, nil},
		"broken off": {io.MultiReader(strings.NewReader("te"), iotest.ErrReader(errBroken)), errBroken, errBroken},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := &stream.Reader{R: tt.from}
			require.NoError(t, r.Failed())
			_, _ = io.Copy(io.Discard, r)
			require.Equal(t, tt.err, r.Err)
			require.Equal(t, tt.failed, r.Failed())
		})
	}
}

func TestWriter(t *testing.T) {
	from, to := io.Pipe()
	w := &stream.Writer{W: to}
	go func() { _, _ = io.ReadFull(from, make([]byte, 2)); _ = from.CloseWithError(errBroken) }()
	_, _ = io.WriteString(w, "te")
	require.NoError(t, w.Err)
	_, _ = io.WriteString(w, "xt")
	require.Equal(t, errBroken, w.Err)
}
