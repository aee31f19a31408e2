package archive

import "github.com/app-sre/git-partition-sync/internal/stream"

// boundedReader is the stream below the tar reader. It fails on a stream that is longer than any archive that
// this one can be.
type boundedReader struct {
	stream.Reader
	remaining int64 // bytes that may still be read
}

func (s *boundedReader) Read(p []byte) (int, error) {
	if s.remaining <= 0 {
		return 0, malformed("longer than its manifest allows")
	}
	n, err := s.Reader.Read(p[:min(int64(len(p)), s.remaining)])
	s.remaining -= int64(n)
	return n, err
}
