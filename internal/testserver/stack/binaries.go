package stack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Binaries are the executables that a Stack runs.
type Binaries struct {
	Temporal  string // the Temporal CLI, which has a development server
	VersityGW string
	Worker    string
	Starter   string
	Toxiproxy string // for those who want one; a Stack does not
}

// FindServers finds the servers that "make tools" builds below the module's root. A
// temporal on the PATH will do, too.
func FindServers(root string) (b Binaries, err error) {
	tools := filepath.Join(root, ".tools", "bin")
	b.VersityGW, b.Toxiproxy = filepath.Join(tools, "versitygw"), filepath.Join(tools, "toxiproxy")
	if _, err := os.Stat(b.VersityGW); err != nil {
		return b, fmt.Errorf("%w: run `make tools`", err)
	}
	b.Temporal = filepath.Join(tools, "temporal")
	if _, err := os.Stat(b.Temporal); err == nil {
		return b, nil
	}
	if b.Temporal, err = exec.LookPath("temporal"); err != nil {
		return b, errors.New("temporal is neither in .tools/bin nor on the PATH: run `make tools`")
	}
	return b, nil
}

// Isolate takes everything out of this process's environment that is not needed, such as
// the AWS profile of whoever runs it.
func Isolate() error {
	kept := map[string]string{}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TERM"} {
		if value, ok := os.LookupEnv(name); ok {
			kept[name] = value
		}
	}
	os.Clearenv()
	for name, value := range kept {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	// Named, or the AWS SDK would look for them in HOME.
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		if err := os.Setenv(name, os.DevNull); err != nil {
			return err
		}
	}
	return nil
}
