package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/internal/keypair"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func keysCommand() *cli.Command {
	return &cli.Command{
		Name:      "keys",
		Usage:     "make the key pairs of both sides in a folder, and say which part goes where",
		ArgsUsage: "FOLDER",
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Len() != 1 {
				return usagef("name one folder for the keys")
			}
			return writeKeys(c.Args().First())
		},
	}
}

// writeKeys makes an encryption and a signing key pair, and says which part goes where. It does not replace files,
// because a lost private key cannot be recovered.
func writeKeys(dir string) error {
	files, err := keypair.Generate()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := writeNewFile(path, f.Content); err != nil {
			return err
		}
		role := contract.Consumer.Name
		if f.Producer {
			role = contract.Producer.Name
		}
		fmt.Printf("%-30s %s, %s: %s\n", path, role, f.Variable, f.Purpose)
	}
	fmt.Println("A variable may hold the file's content, or @ and its path.")
	return nil
}

func writeNewFile(path, content string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Close())
}
