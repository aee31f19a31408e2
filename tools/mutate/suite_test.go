package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A module with changes of each fate in functions of each shape, and a test that fails once under a change, whatever it is.
var module = map[string]string{
	"go.mod": "module example.org/p\n\ngo 1.26\n",
	"p.go": `package p

import "os"

const always, never = true, false

var limit = map[string]int{"a": 1}

var rules = []struct{ name string; strict bool }{{"a", true}, {"b", false}}

type list[T any] []T

func (l list[T]) isLong() bool { return len(l) > limit["a"] }

func set(to *int) {
	*to = 1
}

func named() (n int, err error) {
	n += 1
	return
}

func ends() int {
	panic("without a result")
}

func hangs(n int) {
	for n != 1 {
		n++
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func untested(n int) { set(&n) }
`,
	"p_test.go": `package p

import (
	"os"
	"testing"
)

func TestIsLong(t *testing.T) {
	if (list[int]{}).isLong() || !(list[int]{1, 2, 3}).isLong() {
		t.Fatal()
	}
}

func TestRules(t *testing.T) {
	if !rules[0].strict || !always {
		t.Fatal()
	}
}

func TestSet(t *testing.T) {
	n := 0
	if set(&n); n != 1 {
		t.Fatal()
	}
}

func TestNamed(t *testing.T) {
	if n, _ := named(); n != 1 {
		t.Fatal()
	}
}

func TestHangs(t *testing.T) { hangs(0) }

func TestFlaky(t *testing.T) {
	exists("p.go")
	if os.Getenv("MUTANT") != "0" && os.Mkdir("failed", 0o700) == nil {
		t.Fatal()
	}
}
`,
}

func TestFates(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range module {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	suite, err := load(".", t.TempDir(), options{run: ".", workers: 2, budget: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := suite.Mutants([]string{"p.go"})
	if err != nil {
		t.Fatal(err)
	}
	suite.patience = time.Second
	viable, err := suite.Build(mutants)
	if err != nil {
		t.Fatal(err)
	}
	got, alone := map[string]Fate{}, 0
	says := func(m Mutant) string { return fmt.Sprintf("%d: %s", m.Line, m.Says) }
	for _, m := range mutants {
		got[says(m)] = NotViable
	}
	for _, m := range viable {
		if got[says(m)], err = suite.Try(m); err != nil {
			t.Fatal(err)
		}
		if m.Alone {
			alone++
		}
	}
	want := map[string]Fate{
		`5: true: false`:                         Killed,
		`5: false: true`:                         Lived,
		`7: left out: "a": 1`:                    Lived,
		`9: true: false`:                         Killed,
		`9: false: true`:                         Lived,
		`13: > is >=`:                            Lived,
		`16: *to: not assigned`:                  Killed,
		`20: += is -=`:                           Killed,
		`20: n += 1: removed`:                    Killed,
		`25: panic("without a result"): removed`: NotViable,
		`29: n != 1: && false`:                   Lived,
		`30: ++ is --`:                           Killed,
		`36: == is !=`:                           Lived,
		`39: set(&n): removed`:                   NotCovered,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	if alone != 3 {
		t.Errorf("%d changes were built by themselves, want those of the constants and of the map", alone)
	}
	if left, _ := filepath.Glob("*"); strings.Join(left, " ") != "failed go.mod p.go p_test.go" {
		t.Errorf("the folder has %q", left)
	}
}
