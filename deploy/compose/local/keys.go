package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/app-sre/git-partition-sync/internal/keypair"
)

// makeKeys puts each side's halves of the two key pairs into its folder. They are made once: what is
// in the bucket is readable with these only. The file that is written last says that all are there.
func makeKeys(producer, consumer string) error {
	files, err := keypair.Generate()
	if err != nil {
		return err
	}
	paths := make([]string, len(files))
	for i, f := range files {
		if paths[i] = filepath.Join(consumer, f.Name); f.Producer {
			paths[i] = filepath.Join(producer, f.Name)
		}
	}
	if _, err := os.Stat(paths[len(paths)-1]); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for i, f := range files {
		if err := os.WriteFile(paths[i], []byte(f.Content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
