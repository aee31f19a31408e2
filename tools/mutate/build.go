package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Build makes one program of the package's tests and all changes, but for those that have to be built by themselves
// when they are tried, and returns the changes that compile.
func (s *Suite) Build(mutants []Mutant) (viable []Mutant, err error) {
	s.program = filepath.Join(s.scratch, "schemata")
	for {
		files := map[string][]byte{filepath.Join(s.Dir, "mutant_number.go"): selector(s.Name)}
		for path, source := range s.sources {
			files[path] = Schemata(source, only(mutants, func(m Mutant) bool { return m.File == path && !m.Alone }))
		}
		out, err := s.compile(s.program, files, "-gcflags=-e")
		if err == nil {
			return mutants, nil
		}
		broken := brokenMutants(out)
		if len(broken) == 0 {
			return nil, fmt.Errorf("build %s with all changes: %w\n%s", s.ImportPath, err, out)
		}
		for i, m := range mutants {
			mutants[i].Alone = m.Alone || m.In == nil && broken[m.Number]
		}
		mutants = only(mutants, func(m Mutant) bool { return m.Alone || !broken[m.Number] })
	}
}

func only(mutants []Mutant, want func(Mutant) bool) (found []Mutant) {
	for _, m := range mutants {
		if want(m) {
			found = append(found, m)
		}
	}
	return found
}

// brokenMutants reads errors such as "activities/mutant17:3:9: declared and not used: n".
func brokenMutants(errors []byte) map[int]bool {
	broken := map[int]bool{}
	for _, found := range regexp.MustCompile(`(?m)^\S*\bmutant(\d+):\d+`).FindAllSubmatch(errors, -1) {
		number, _ := strconv.Atoi(string(found[1]))
		broken[number] = true
	}
	return broken
}

// compile builds the package's tests over files in place of those on the disk, and returns what the compiler said.
func (s *Suite) compile(program string, files map[string][]byte, flags ...string) ([]byte, error) {
	scratch, err := os.MkdirTemp(s.scratch, "files-")
	if err != nil {
		return nil, err
	}
	replace := map[string]string{}
	for path, content := range files {
		replace[path] = filepath.Join(scratch, filepath.Base(path))
		err = errors.Join(err, os.WriteFile(replace[path], content, 0o600))
	}
	overlay := filepath.Join(scratch, "overlay.json")
	listed, jsonErr := json.Marshal(map[string]any{"Replace": replace})
	if err = errors.Join(err, jsonErr, os.WriteFile(overlay, listed, 0o600)); err != nil {
		return nil, err
	}
	args := slices.Concat([]string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", program}, flags, []string{s.ImportPath})
	return exec.Command("go", args...).CombinedOutput()
}
