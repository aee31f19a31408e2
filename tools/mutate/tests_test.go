package main

import (
	"slices"
	"testing"
	"time"
)

func TestCoveredLines(t *testing.T) {
	covered := coveredLines("mode: set\nmodule/p/a.go:3.10,5.2 2 1\nmodule/p/a.go:7.1,7.9 1 0\nmodule/p/b.go:1.1,1.2 1 1\n")
	for line, want := range map[string]bool{"a.go:2": false, "a.go:3": true, "a.go:5": true, "a.go:7": false, "b.go:1": true} {
		if covered[line] != want {
			t.Errorf("%s: covered is %t", line, covered[line])
		}
	}
}

func TestNoticing(t *testing.T) {
	tests := []Test{{Name: "one", Runs: map[string]bool{"a.go:3": true}}, {Name: "other", Runs: map[string]bool{"b.go:3": true, "a.go:4": true}}}
	for _, c := range []struct {
		mutant Mutant
		want   []string
	}{
		{Mutant{File: "/p/a.go", Line: 4, Runs: 3}, []string{"one"}},
		{Mutant{File: "/p/b.go", Line: 3, Runs: 3}, []string{"other"}},
		{Mutant{File: "/p/b.go", Line: 3, Runs: 4}, nil},
	} {
		if got := names(noticing(tests, c.mutant)); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.mutant, got, c.want)
		}
	}
}

func TestWithin(t *testing.T) {
	tests := []Test{{Name: "a", Costs: 2}, {Name: "b", Costs: 3}, {Name: "c", Costs: 3}}
	for budget, want := range map[time.Duration][]string{1: {"a"}, 4: {"a"}, 5: {"a", "b"}, 7: {"a", "b"}, 8: {"a", "b", "c"}, 9: {"a", "b", "c"}} {
		if got := names(within(budget, tests)); !slices.Equal(got, want) {
			t.Errorf("within %d: %q, want %q", budget, got, want)
		}
	}
	if got := within(1, nil); len(got) > 0 {
		t.Errorf("%v of no tests", got)
	}
}

func TestSteps(t *testing.T) {
	var tests []Test
	for _, ms := range []time.Duration{1, 10, 100, 900, 2000, 3000} {
		tests = append(tests, Test{Name: (ms * time.Millisecond).String(), Costs: ms * time.Millisecond})
	}
	var got [][]string
	for _, step := range steps(tests) {
		got = append(got, names(step))
	}
	want := [][]string{{"1ms", "10ms", "100ms"}, {"900ms"}, {"2s"}, {"3s"}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%q, want %q", got, want)
	}
}
