package main

import (
	"bytes"
	"fmt"
)

// numberVariable names the environment variable that has the number of the change to make. What a test starts inherits it.
const numberVariable = "MUTANT"

// selector is the file that a package needs for its changes to wait for their numbers.
func selector(name string) []byte {
	return fmt.Appendf(nil, `package %s

import (
	"os"
	"strconv"
)

var mutantNumber, _ = strconv.Atoi(os.Getenv(%q))
`, name, numberVariable)
}

// Schemata writes a file with many changes in it, in the order of Find. A change to a function is a copy of the
// whole function, which runs in place of the function when the change is selected: so it compiles exactly when
// the changed function does. Outside of functions only true and false can wait for their numbers, and not those of constants.
// For the compiler each change is in a file "mutant17", so that errors say which one they are about.
func Schemata(source []byte, mutants []Mutant) []byte {
	var out bytes.Buffer
	written := 0
	for i, m := range mutants {
		if m.In == nil {
			is := map[string]string{"true": "==", "false": "!="}[m.Text]
			fmt.Fprintf(&out, "%s/*line mutant%d:1*/(mutantNumber %s %d)", source[written:m.Start], m.Number, is, m.Number)
			written = m.End
			continue
		}
		if i == 0 || mutants[i-1].In != m.In {
			out.Write(source[written : m.In.Start+1])
			out.WriteString("\nswitch mutantNumber {\n")
			written = m.In.Start + 1
		}
		changed := m.Apply(source)
		body := changed[m.In.Start+1 : m.In.End-1+len(changed)-len(source)]
		call, after := "return", ""
		if m.In.Results == "" {
			call, after = "", "return\n"
		}
		fmt.Fprintf(&out, "case %d:\n%s func() %s {/*line mutant%d:1*/%s\n}()\n%s", m.Number, call, m.In.Results, m.Number, body, after)
		if i+1 == len(mutants) || mutants[i+1].In != m.In {
			out.WriteString("}\n")
		}
	}
	out.Write(source[written:])
	return out.Bytes()
}
