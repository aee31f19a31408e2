package archive

import (
	"fmt"
	"regexp"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// Environment is the name of the two sides that a reader or writer of archives belongs to. To a reader with the zero
// value, every object is of another environment.
type Environment struct {
	name string
	any  bool
}

// AnyEnvironment is for readers and writers that do not tell environments apart.
func AnyEnvironment() Environment { return Environment{any: true} }

var environmentPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ParseEnvironment returns the environment of this name, or the reason why the name is not valid.
func ParseEnvironment(name string) (Environment, error) {
	if !environmentPattern.MatchString(name) {
		return Environment{}, fmt.Errorf("%s is not a name of at most 63 letters, digits, '.', '_' and '-' that begins with a letter or digit", foreign.Quote(name, 100))
	}
	return Environment{name: name}, nil
}

// Name is the name in manifests. It is empty for AnyEnvironment.
func (e Environment) Name() string { return e.name }

// CheckEnvironment fails with ErrEnvironment when m was made for another environment, or names none although this one
// has a name.
func (m Manifest) CheckEnvironment(here Environment) error { return here.Check(m.Environment) }

// Check fails with ErrEnvironment when what names this environment, or none with "", was made for another.
func (e Environment) Check(name string) error {
	switch {
	case e.any || e.name != "" && name == e.name:
		return nil
	case name == "":
		return fmt.Errorf("%w: it names none, this is %q", ErrEnvironment, e.name)
	}
	return fmt.Errorf("%w: %q, this is %q", ErrEnvironment, name, e.name)
}
