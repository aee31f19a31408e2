package lfs

import (
	"regexp/syntax"
)

// pointerProgram is pointerPattern as an automaton.
var pointerProgram = compile(pointerPattern)

func compile(pattern string) *syntax.Prog {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		panic(err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		panic(err)
	}
	return program
}

// possiblePointer tells whether a text can be a pointer, of which some bytes are known. It is as regexp.Match for the
// known ones, and an unknown one matches whatever can be in its place.
func possiblePointer(text []byte, known []bool) bool {
	now, then := newStates(), newStates()
	now.add(uint32(pointerProgram.Start))
	for i, b := range text {
		then.clear()
		for _, at := range now.dense {
			if inst := &pointerProgram.Inst[at]; isRune(inst) && (!known[i] || inst.MatchRune(rune(b))) {
				then.add(inst.Out)
			}
		}
		if now, then = then, now; len(now.dense) == 0 {
			return false
		}
	}
	for _, at := range now.dense {
		if pointerProgram.Inst[at].Op == syntax.InstMatch {
			return true
		}
	}
	return false
}

func isRune(inst *syntax.Inst) bool {
	return inst.Op >= syntax.InstRune
}

// states is where in the program a match can be: instructions that read a byte, and the one at its end.
type states struct {
	dense []uint32
	in    []bool
}

func newStates() *states {
	return &states{in: make([]bool, len(pointerProgram.Inst))}
}

func (s *states) clear() {
	s.dense = s.dense[:0]
	clear(s.in)
}

// add adds an instruction, or those that it leads to without reading a byte.
func (s *states) add(at uint32) {
	if s.in[at] {
		return
	}
	s.in[at] = true
	switch inst := &pointerProgram.Inst[at]; inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		s.add(inst.Out)
		s.add(inst.Arg)
	case syntax.InstCapture, syntax.InstNop:
		s.add(inst.Out)
	default:
		s.dense = append(s.dense, at)
	}
}
