package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/sign"
)

// makeKeys puts each side's halves of the two key pairs into its folder. They are made once: what is
// in the bucket is readable with these only. The file that is written last says that all are there.
func makeKeys(producer, consumer string) error {
	last := filepath.Join(consumer, "signing.pub")
	if _, err := os.Stat(last); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	secret, public, err := sign.Generate()
	if err != nil {
		return err
	}
	for _, f := range []struct{ path, content string }{
		{filepath.Join(producer, "age.pub"), identity.Recipient().String()},
		{filepath.Join(producer, "signing.key"), secret},
		{filepath.Join(consumer, "age.key"), identity.String()},
		{last, public},
	} {
		if err := os.WriteFile(f.path, []byte(f.content+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}
