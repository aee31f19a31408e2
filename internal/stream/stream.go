// Package stream has readers and writers that remember their first error. Those that read through a decoder need them: decoders
// put the error of what they read from into words of their own, or take it for a fault of the content.
package stream

import "io"

// Reader reads from R, and remembers the first error.
type Reader struct {
	R   io.Reader
	Err error // nil before there was one; io.EOF at the end
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.R.Read(p)
	if r.Err == nil {
		r.Err = err
	}
	return n, err
}

// Failed returns why reading broke off; nil when it did not, or came to the end.
func (r *Reader) Failed() error {
	if r.Err == io.EOF {
		return nil
	}
	return r.Err
}

// Writer writes to W, and remembers the first error.
type Writer struct {
	W   io.Writer
	Err error
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.W.Write(p)
	if w.Err == nil {
		w.Err = err
	}
	return n, err
}
