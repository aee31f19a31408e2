package archive

import "github.com/app-sre/git-partition-sync/internal/stream"

// source is the stream below the tar reader. It ends a stream that is longer than
// any archive of this manifest.
type source struct {
	stream.Reader
	left int64 // bytes that may still be read
}

func (s *source) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, malformed("longer than its manifest allows")
	}
	n, err := s.Reader.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	return n, err
}
