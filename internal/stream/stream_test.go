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

// errs fails with one after the other, and then with none.
type errs []error

func (e *errs) next() (err error) {
	if len(*e) > 0 {
		err, *e = (*e)[0], (*e)[1:]
	}
	return err
}

func (e *errs) Read([]byte) (int, error)  { return 0, e.next() }
func (e *errs) Write([]byte) (int, error) { return 0, e.next() }

func TestTheFirstErrorIsKept(t *testing.T) {
	var then errs = []error{nil, errBroken, io.EOF}
	r := &stream.Reader{R: &then}
	for i := range 4 {
		_, _ = r.Read(nil)
		require.Equal(t, i > 0, r.Err == errBroken, i)
	}
	then = []error{nil, errBroken, io.ErrShortWrite}
	w := &stream.Writer{W: &then}
	for i := range 4 {
		_, _ = w.Write(nil)
		require.Equal(t, i > 0, w.Err == errBroken, i)
	}
}

func (e *errs) ReadAt([]byte, int64) (int, error) { return 0, e.next() }

func TestReaderAt(t *testing.T) {
	then := errs{nil, io.EOF, errBroken, io.ErrNoProgress}
	r := &stream.ReaderAt{R: &then}
	for i := range 5 {
		_, _ = r.ReadAt(nil, 0)
		require.Equal(t, i > 1, r.Failed() == errBroken, i)
		require.Equal(t, i <= 1, r.Failed() == nil, i)
	}
}
