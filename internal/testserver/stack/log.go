package stack

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// openLog opens a part's log for appending, for its process to inherit.
func (s *Stack) openLog(part string) (*os.File, error) {
	return os.OpenFile(s.logFile(part), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

func (s *Stack) logFile(part string) string { return filepath.Join(s.logDir(), part+".log") }

// withLog adds the end of the part's log to the reason why it did not start.
func (s *Stack) withLog(part string, err error) error {
	const tail, lines = 4096, 15
	f, openErr := os.Open(s.logFile(part))
	if openErr != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	defer func() { _ = f.Close() }()
	if info, statErr := f.Stat(); statErr == nil && info.Size() > tail {
		_, _ = f.Seek(-tail, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	last := strings.Split(strings.TrimSpace(string(text)), "\n")
	last = last[max(0, len(last)-lines):]
	return fmt.Errorf("%s: %w\nthe end of %s:\n  %s", part, err, f.Name(), strings.Join(last, "\n  "))
}
