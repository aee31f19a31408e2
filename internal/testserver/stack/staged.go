package stack

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// Staged lists what is in a work directory, apart from the folders of workers, their locks and their notes of what they are at.
// What goes meanwhile is not there.
func Staged(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		isWorker := entry.IsDir() && filepath.Dir(path) == dir
		if path != dir && !isWorker && entry.Name() != "lock" && !strings.HasPrefix(entry.Name(), "note-") {
			files = append(files, path)
		}
		return nil
	})
	return files, err
}
