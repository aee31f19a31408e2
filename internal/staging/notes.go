package staging

import (
	"crypto/rand"
	"io/fs"
	"os"
	"strings"
)

const (
	notePrefix = "note-"
	// maxNotes and maxNote bound what is read of a dead worker's notes.
	maxNotes = 1000
	maxNote  = 16 << 10
	// maxDead is how many dead workers wait to be taken notice of. Of more, only the folders are removed.
	maxDead = 16
)

// Dead is a worker that was killed, or has ended before its runs did, and whose folder has been removed.
type Dead struct {
	ID    string   // as the worker's Area had it
	Notes [][]byte // those that it has not struck out
}

// Dead tells of such workers in the same work directory.
func (a *Area) Dead() <-chan Dead { return a.dead }

// Note keeps a text in the worker's folder until it is struck out. Who finds the folder after the worker has ended, gets it from
// Dead. On a disk that takes nothing there is no note.
func (a *Area) Note(text []byte) (strike func()) {
	dir, err := a.ensureFolder()
	if err != nil {
		return func() {}
	}
	name := notePrefix + rand.Text()
	_ = dir.WriteFile(name, text, 0o600)
	return func() { _ = dir.Remove(name) }
}

// readNotes reads what can be read of the notes in a worker's folder.
func readNotes(dir *os.Root) (notes [][]byte) {
	entries, _ := fs.ReadDir(dir.FS(), ".")
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), notePrefix) || info.Size() > maxNote || len(notes) == maxNotes {
			continue
		}
		if text, err := dir.ReadFile(e.Name()); err == nil && len(text) > 0 {
			notes = append(notes, text)
		}
	}
	return notes
}

// tell never waits: that somebody hears of a dead worker saves time, and nothing else.
func (a *Area) tell(d Dead) {
	select {
	case a.dead <- d:
	default:
	}
}
