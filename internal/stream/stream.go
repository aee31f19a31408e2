// Package stream has readers and writers that remember their first error. Code that reads through a decoder needs
// them, because a decoder rewords the error of what it reads from, or takes it for a fault in the content.
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

// Failed returns the error that ended reading. It is nil if there was none, or if the end was reached.
func (r *Reader) Failed() error {
	if r.Err == io.EOF {
		return nil
	}
	return r.Err
}

// ReaderAt reads from R, for one at a time, and remembers the first error but io.EOF.
type ReaderAt struct {
	R   io.ReaderAt
	Err error
}

// ReadAt implements io.ReaderAt.
func (r *ReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.R.ReadAt(p, offset)
	if r.Err == nil && err != io.EOF {
		r.Err = err
	}
	return n, err
}

// Failed returns the error that ended reading, as Reader's does.
func (r *ReaderAt) Failed() error { return r.Err }

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
