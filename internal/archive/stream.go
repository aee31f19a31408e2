package archive

import "io"

// source is the stream below the tar reader. It ends a stream that is longer than
// any archive of this manifest, and remembers the error of what it reads from.
type source struct {
	r    io.Reader
	left int64 // bytes that may still be read
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, malformed("longer than its manifest allows")
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// destination remembers the error of what it writes to.
type destination struct {
	w   io.Writer
	err error
}

func (d *destination) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	if err != nil {
		d.err = err
	}
	return n, err
}
