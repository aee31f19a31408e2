// Package docs tests what the documents say of the code beside them.
package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	defined = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w+)\(`)
	quoted  = regexp.MustCompile("`([^`]+)`(?: in `([a-z0-9/]+)(?:/\\w+\\.go)?`)?")
	aTest   = regexp.MustCompile(`^((?:Test|Fuzz|Benchmark|Example)[A-Z]\w*)(?:/.*)?$`) // without the part after the slash
)

// definitions are the folders in which there is a test of each name.
func definitions(t *testing.T) map[string][]string {
	t.Helper()
	folders := map[string][]string{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(filepath.Join("..", name))
		for _, match := range defined.FindAllSubmatch(text, -1) {
			folders[string(match[1])] = append(folders[string(match[1])], path.Dir(name))
		}
		return err
	})
	require.NoError(t, err)
	return folders
}

// named is a test that a document names, in the folder that it names before; "" when it names none.
type named struct{ test, folder string }

// namedIn reads one line. In a table's last cell, a folder holds for all tests up to the next one; a text says "`Test` in `folder`",
// or names no folder.
func namedIn(line string) (tests []named) {
	table := strings.HasPrefix(line, "|")
	if table {
		cells := strings.Split(strings.TrimSuffix(line, "|"), "|")
		line = cells[len(cells)-1]
	}
	folder := ""
	for _, match := range quoted.FindAllStringSubmatch(line, -1) {
		test := aTest.FindStringSubmatch(match[1])
		switch {
		case test != nil && table:
			tests = append(tests, named{test[1], folder})
		case test != nil:
			tests = append(tests, named{test[1], strings.TrimSuffix(match[2], "/")})
		case isFolder(match[1]):
			folder = match[1]
		}
	}
	return tests
}

func isFolder(name string) bool {
	info, err := os.Stat("../" + name)
	return err == nil && info.IsDir()
}

func TestNamedTestsExist(t *testing.T) {
	folders, checked := definitions(t), 0
	documents, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, document := range append(documents, "../README.md") {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for line := range strings.SplitSeq(string(text), "\n") {
			for _, n := range namedIn(line) {
				checked++
				require.Contains(t, folders, n.test, "%s names a test that is not there", document)
				if n.folder != "" {
					require.Contains(t, folders[n.test], n.folder, "%s names %s in another folder", document, n.test)
				}
			}
		}
	}
	require.Greater(t, checked, 250)
}

// Commands that run some of the tests find them.
func TestNamedCommandsRunTests(t *testing.T) {
	run := regexp.MustCompile(`go test \./([\w/]+) -run '?((?:Test\w+\|?)+)`)
	folders, checked := definitions(t), 0
	documents, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, document := range documents {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, match := range run.FindAllStringSubmatch(string(text), -1) {
			for pattern := range strings.SplitSeq(match[2], "|") {
				checked++
				found := false
				for test, in := range folders {
					found = found || strings.HasPrefix(test, pattern) && slices.Contains(in, match[1])
				}
				require.True(t, found, "%s: %s runs nothing", document, match[0])
			}
		}
	}
	require.Greater(t, checked, 5)
}

// made is what a command has written into a document, and names.
var made = regexp.MustCompile(`(?s)<!-- made by .*?<!-- end of what `)

// Each rule of docs/reliability.md has a test, and each test its folder.
func TestRulesHaveTests(t *testing.T) {
	text, err := os.ReadFile("reliability.md")
	require.NoError(t, err)
	for line := range strings.SplitSeq(made.ReplaceAllString(string(text), ""), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what was tried") {
			continue
		}
		tests := namedIn(line)
		require.NotEmpty(t, tests, line)
		require.False(t, slices.ContainsFunc(tests, func(n named) bool { return n.folder == "" }), line)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	aFile   = regexp.MustCompile(`^(?:activities|demo|deploy|docs|e2e|graphql|internal|starter|tools|worker|workflows)/[\w/.-]+$`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the names that a document's headings are linked by, as GitHub makes them.
func anchors(text string) (names []string) {
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		names = append(names, strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-"))
	}
	return names
}

// Links lead somewhere, and files and folders of the repository that are named are there.
func TestLinksAndNamedFilesExist(t *testing.T) {
	documents, err := filepath.Glob("../*.md")
	require.NoError(t, err)
	below, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	for _, document := range append(documents, below...) {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			target := document
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(document), match[1])
			}
			linked, err := os.ReadFile(target)
			if match[2] != "" {
				require.NoError(t, err, "%s links %s", document, match[0])
				require.Contains(t, anchors(string(linked)), match[2], "%s links %s", document, match[0])
			} else {
				_, err = os.Stat(target)
				require.NoError(t, err, document)
			}
		}
		for _, match := range quoted.FindAllStringSubmatch(string(text), -1) {
			if aFile.MatchString(match[1]) {
				_, err := os.Stat(filepath.Join("..", match[1]))
				require.NoError(t, err, document)
			}
		}
	}
}

// The runbook has every kind of error of errors.md, which the table in the code is compared with.
func TestEveryErrorIsInTheRunbook(t *testing.T) {
	operations, err := os.ReadFile("operations.md")
	require.NoError(t, err)
	kinds, err := os.ReadFile("errors.md")
	require.NoError(t, err)
	all := regexp.MustCompile("(?m)^\\| (`[A-Za-z]+`) \\|").FindAllStringSubmatch(string(kinds), -1)
	require.Greater(t, len(all), 30)
	for _, kind := range all {
		require.Contains(t, string(operations), kind[1])
	}
}
