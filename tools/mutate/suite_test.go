package main

import (
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

var limit = map[string]int{"a": 1}

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
	got := map[string]Fate{}
	for _, m := range mutants {
		got[m.Says] = NotViable
	}
	for _, m := range viable {
		if got[m.Says], err = suite.Try(m); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]Fate{
		`left out: "a": 1`:                   Lived,
		`> is >=`:                            Lived,
		`*to: not assigned`:                  Killed,
		`+= is -=`:                           Killed,
		`n += 1: removed`:                    Killed,
		`panic("without a result"): removed`: NotViable,
		`n != 1: && false`:                   Lived,
		`++ is --`:                           Killed,
		`== is !=`:                           Lived,
		`set(&n): removed`:                   NotCovered,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	if left, _ := filepath.Glob("*"); strings.Join(left, " ") != "failed go.mod p.go p_test.go" {
		t.Errorf("the folder has %q", left)
	}
}
