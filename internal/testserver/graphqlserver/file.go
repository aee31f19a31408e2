package graphqlserver

import (
	"fmt"
	"os"

	"go.yaml.in/yaml/v4"
)

// The file:
//
//	syncs:
//	  - source: {group: platform, name: router, branch: main}
//	    destination: {group: mirror/platform, name: router, branch: main}
type (
	file struct {
		Syncs []sync `yaml:"syncs"`
	}
	sync struct {
		Source      *branch `yaml:"source"`
		Destination *branch `yaml:"destination"`
	}
	branch struct {
		Group  string `yaml:"group"`
		Name   string `yaml:"name"`
		Branch string `yaml:"branch"`
	}
)

// load insists on the syncs key: a file that is empty, or read while an editor
// writes it, must not look like one that asks for no sync.
func load(name string) ([]sync, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var f file
	if err := yaml.Load(text, &f, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if f.Syncs == nil {
		return nil, fmt.Errorf("%s: no syncs: write \"syncs: []\" for none", name)
	}
	return f.Syncs, nil
}
