package smarthttp

import (
	"io"
	"os"
	"sync"
)

// revocableReader lends the caller's reader to the transport, which may go on reading after it has returned an early
// answer. After Close, it reads no more.
type revocableReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *revocableReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.r == nil {
		return 0, os.ErrClosed
	}
	return l.r.Read(b)
}

func (l *revocableReader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.r = nil
	return nil
}
