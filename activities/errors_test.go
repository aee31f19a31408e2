package activities

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/retries"
)

// documented is a row of a table in docs/errors.md.
type documented struct {
	retry  bool
	remedy string
}

func documentedKinds(t *testing.T) map[string]documented {
	t.Helper()
	text, err := os.ReadFile("../docs/errors.md")
	require.NoError(t, err)
	rows := map[string]documented{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\| (.*) \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		require.NotContains(t, rows, row[1], "twice")
		rows[row[1]] = documented{retry: strings.HasPrefix(row[2], "*retried"), remedy: row[3]}
	}
	return rows
}

// givenKinds are the constants of a package that name kinds of failures.
func givenKinds(t *testing.T, folder string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.go")
	require.NoError(t, err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Kind") && len(spec.Values) == 1 {
				name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				require.NoError(t, err)
				names = append(names, name)
			}
			return true
		})
	}
	require.NotEmpty(t, names)
	return names
}

func TestKindsAreThoseOfTheDocumentation(t *testing.T) {
	rows := documentedKinds(t)
	inCode := map[string]bool{}
	for _, k := range kinds {
		inCode[k.name] = true
		row, ok := rows[k.name]
		require.True(t, ok, "docs/errors.md lacks %s", k.name)
		require.Equal(t, row.retry, k.class.Passes(), "docs/errors.md marks what is *retried*: %s", k.name)
		require.NotEmpty(t, k.remedy, k.name)
	}
	for _, name := range givenKinds(t, "../internal/plan") {
		require.True(t, inCode[name], "the table of kinds lacks %s", name)
	}
	for name, row := range rows {
		require.True(t, inCode[name], "docs/errors.md explains %s, which nothing gives", name)
		require.NotEmpty(t, row.remedy, name)
		require.False(t, row.remedy == "–" && !row.retry, "docs/errors.md does not say what to do about %s", name)
	}
}

// Each kind is tried again by one class, which docs/errors.md names. What is found by plans or given by workflows is no failure of a step.
func TestClassesAreThoseOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/errors.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "| class | kinds |")
	require.True(t, ok)
	classes := map[string]retries.Class{}
	for _, row := range regexp.MustCompile(`(?m)^\| \*([a-z ]+)\* \| (.*) \|$`).FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([A-Za-z]+)`").FindAllStringSubmatch(row[2], -1) {
			require.NotContains(t, classes, name[1], "of two classes")
			classes[name[1]] = retries.Class(row[1])
		}
	}
	require.Equal(t, retries.Passing, classes[kindOther])
	delete(classes, kindOther)
	inCode := map[string]retries.Class{}
	for _, k := range kinds {
		require.Contains(t, []retries.Class{"", k.class}, inCode[k.name], "%s is of two classes", k.name)
		inCode[k.name] = k.class
		require.Equal(t, k.class, ClassOf(k.name))
	}
	require.Equal(t, inCode, classes)
	require.Equal(t, retries.Passing, ClassOf(kindOther))
	require.Equal(t, retries.Refused, ClassOf("OfAnotherVersion"))
}

func TestPlannedFailuresSayWhatToDo(t *testing.T) {
	failures := withRemedies([]plan.Failure{
		{Kind: plan.KindInvalidSync, Reason: "branch is empty"},
		{Kind: plan.KindNotAllowed, Reason: "not in the list\nAdd the project to ALLOWED_DESTINATIONS, or remove its sync."},
		{Kind: "Unknown", Reason: "as it is"},
	})
	require.Equal(t, "branch is empty\nCorrect the sync. While there is one, objects of removed syncs are kept.", failures[0].Reason)
	require.Equal(t, "not in the list\nAdd the project to ALLOWED_DESTINATIONS, or remove its sync.", failures[1].Reason, "once")
	require.Equal(t, "as it is", failures[2].Reason)
}

func TestFailuresOfWorkflowsSayWhatToDo(t *testing.T) {
	require.Equal(t, "it is gone\n"+kinds[0].remedy, WithRemedy(kinds[0].name, "it is gone"))
	require.Equal(t, "it is gone\nas a step has said", WithRemedy(kinds[0].name, "it is gone\nas a step has said"))
	require.Equal(t, "as it is", WithRemedy("Unknown", "as it is"))
}
