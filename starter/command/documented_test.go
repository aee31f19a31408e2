package command

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
)

// documentedVariables are the rows of the section on the starter in docs/configuration.md, by variable: the default, and
// what it says of the variable.
func documentedVariables(t *testing.T) map[string][2]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## Starter\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string][2]string{}
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") {
			require.Len(t, cells, 3, line)
			rows[strings.Trim(cells[0], "| `")] = [2]string{cells[1], cells[2]}
		}
	}
	return rows
}

// flagsOf lists the flags of a command and of all below it.
func flagsOf(command *cli.Command) (flags []cli.Flag) {
	flags = append(flags, command.Flags...)
	for _, sub := range command.Commands {
		flags = append(flags, flagsOf(sub)...)
	}
	return flags
}

func TestVariablesOfTheStarterAreDocumented(t *testing.T) {
	rows := documentedVariables(t)
	read := map[string]bool{}
	for _, flag := range flagsOf(newApp()) {
		documented, ok := flag.(cli.DocGenerationFlag)
		require.True(t, ok)
		for _, variable := range documented.GetEnvVars() {
			read[variable] = true
			require.Contains(t, rows, variable)
			require.Contains(t, rows[variable][1], "-"+flag.Names()[0]+"`", "the row of %s names the flag", variable)
			if every, ok := flag.(*cli.DurationFlag); ok {
				value, err := time.ParseDuration(strings.Trim(rows[variable][0], "`"))
				require.NoError(t, err, variable)
				require.Equal(t, every.Value, value, variable)
			}
		}
	}
	require.NotEmpty(t, read)
	for variable := range rows {
		require.True(t, read[variable], "docs/configuration.md has %s, which no flag of the starter reads", variable)
	}
}

// Programs go by the exit codes.
func TestExitCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## How the starter ends\n")
	require.True(t, found)
	documented := regexp.MustCompile(`(?m)^\| (\d+) \| (?:`+"`(\\w+)`"+`)?`).FindAllStringSubmatch(section[:strings.Index(section, "\n\n- ")], -1)
	var rows [][2]string
	for _, row := range documented {
		rows = append(rows, [2]string{row[1], row[2]})
	}
	var want [][2]string
	for _, end := range []ending{{}, {code: exitFailed, kind: kindFailed}, {code: exitUsage, kind: kindUsage}, {code: exitFailing, kind: kindFailed}, {code: exitTimeout, kind: kindTimeout}, {code: exitInterrupted, kind: kindInterrupted}} {
		want = append(want, [2]string{strconv.Itoa(end.code), end.kind})
	}
	require.Equal(t, want, rows)
}
