package main

import (
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// Each change, as the line that it makes of the only line in the body of a function.
func TestFind(t *testing.T) {
	for line, want := range map[string][]string{
		`if a < b { }`:        {`if (a < b) && false { }`, `if (a < b) || true { }`, `if a <= b { }`},
		`if a == b { }`:       {`if (a == b) && false { }`, `if (a == b) || true { }`},
		`for a != b { }`:      {`for (a != b) && false { }`},
		`_ = a == b`:          {`_ = a != b`},
		`_ = a && b`:          {`_ = a`, `_ = b`},
		`_ = !a`:              {`_ = a`},
		`_ = a + 1`:           {`_ = a - 1`},
		`_ = true`:            {`_ = false`},
		`a = b`:               {`_ = b`},
		`a += b`:              {`a -= b`, `_ = b`},
		`a++`:                 {`a--`},
		`a()`:                 {``},
		`defer a()`:           {``},
		`_ = t{x: a, y: b}`:   {`_ = t{y: b}`, `_ = t{x: a, }`},
		`switch { case a: }`:  {`switch { case (a) && false: }`},
		`switch a { case b:}`: nil,
		`a := b`:              nil,
		`var a int`:           nil,
		`type t [2 * 2]int`:   nil,
	} {
		source := []byte("package p\n\nfunc f() {\n" + line + "\n}\n")
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "p.go", source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range Find(fset, "p.go", file, source) {
			changed := string(m.Apply(source))
			got = append(got, changed[len("package p\n\nfunc f() {\n"):len(changed)-len("\n}\n")])
			if m.Line != 4 {
				t.Errorf("%s: on line %d", line, m.Line)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: became %q, want %q", line, got, want)
		}
	}
}

// What a change needs to be noticed: the body of a condition that is never true, and the switch of a case.
func TestLinesThatRun(t *testing.T) {
	source := []byte("package p\n\nfunc f() {\nswitch {\ncase a && b:\nc()\n}\n}\n")
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var runs []int
	for _, m := range Find(fset, "p.go", file, source) {
		runs = append(runs, m.Runs)
	}
	if want := []int{6, 4, 4, 6}; !slices.Equal(runs, want) { // never true; a; b; c() removed
		t.Errorf("lines %d, want %d", runs, want)
	}
}

func TestShare(t *testing.T) {
	if got := share(map[Fate]int{Killed: 9, Lived: 1, NotViable: 5, NotCovered: 7}); got != 90 {
		t.Errorf("%g %%, want 90", got)
	}
	if got := share(nil); got != 100 {
		t.Errorf("%g %% of nothing, want 100", got)
	}
}
