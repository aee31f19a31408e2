package stack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Binaries are the executables that a Stack runs.
type Binaries struct {
	Temporal  string // the Temporal CLI, which has a development server
	VersityGW string
	Worker    string
	Starter   string
	// For those who want them; a Stack does not.
	Toxiproxy  string
	Standalone string

	root string // of the module
}

// inherited is the environment that this process was started in, whatever Isolate takes out: Go may need it to build.
var inherited = os.Environ()

// Build builds programs of this module into a folder, for a Stack to run, with the race detector if this process has it. The
// arguments are those of go build: flags, and ./worker, ./starter or ./standalone.
func (b *Binaries) Build(dir string, args ...string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	build := exec.Command("go", slices.Concat([]string{"build", "-o", dir + string(filepath.Separator), fmt.Sprintf("-race=%t", Race)}, args)...)
	build.Dir, build.Env = b.root, inherited
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	for name, binary := range map[string]*string{"./worker": &b.Worker, "./starter": &b.Starter, "./standalone": &b.Standalone} {
		if slices.Contains(args, name) {
			*binary = filepath.Join(dir, name)
		}
	}
	return nil
}

// FindServers finds the servers that "make tools" builds below the module's root. A
// temporal on the PATH will do, too.
func FindServers(root string) (b Binaries, err error) {
	if b.root, err = filepath.Abs(root); err != nil {
		return b, err
	}
	tools := filepath.Join(b.root, ".tools", "bin")
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
