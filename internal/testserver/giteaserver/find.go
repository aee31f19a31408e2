package giteaserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Find finds the Gitea that "make tools" builds below the module's root, where there is a C compiler. Without it, the error is
// fs.ErrNotExist. The Options lack Dir and Log.
func Find(root string) (o Options, err error) {
	tools, err := filepath.Abs(filepath.Join(root, ".tools"))
	if err != nil {
		return o, err
	}
	// The folder of a module, such as gitea@v1.26.0.
	if o.Static, err = os.Readlink(filepath.Join(tools, "gitea")); err != nil {
		return o, fmt.Errorf("%w: run `make tools`, with a C compiler", err)
	}
	o.Binary = filepath.Join(tools, "bin", strings.ReplaceAll(filepath.Base(o.Static), "@", "-"))
	for _, needed := range []string{o.Binary, o.Static} {
		if _, err := os.Stat(needed); err != nil {
			return o, fmt.Errorf("%w: run `make tools`", err)
		}
	}
	return o, nil
}
