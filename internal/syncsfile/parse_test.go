package syncsfile_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/syncsfile"
)

func branch(group, name, branch string) project.Branch {
	return project.Branch{Group: group, Name: name, Branch: branch}
}

func TestSyncs(t *testing.T) {
	t.Parallel()
	router, longest := branch("platform", "router", "main"), strings.Repeat("b", 250)
	for name, tt := range map[string]struct {
		text string
		want []project.Sync
	}{
		"none":     {"syncs: []\n", []project.Sync{}},
		"a group":  {oneSync, []project.Sync{{Source: router, Destination: branch("mirror/platform", "router", "main")}}},
		"the same": {"syncs:\n- source: {group: platform, name: router, branch: main}\n  destination: {}\n", []project.Sync{{Source: router, Destination: router}}},
		"in full, and twice": {
			strings.Repeat("\n  - source:\n      group: platform\n      name: router\n      branch: main\n    destination:\n      group: a\n      name: b\n      branch: c/d\n", 2),
			[]project.Sync{{Source: router, Destination: branch("a", "b", "c/d")}, {Source: router, Destination: branch("a", "b", "c/d")}},
		},
		"JSON": {
			"{\n\t\"$schema\": \"./syncs.schema.json\",\n\t\"syncs\": [{\"source\": {\"group\": \"platform\", \"name\": \"router\", \"branch\": \"main\"}, \"destination\": {\"branch\": \"a\\/\\u00e9\"}}]}",
			[]project.Sync{{Source: router, Destination: branch("platform", "router", "a/é")}},
		},
		"what YAML reads as something else": {
			"syncs: [{source: {group: '007', name: \"1.0\", branch: 2024-01-02}, destination: {branch: yes, name: !!str 1e3}}]\n",
			[]project.Sync{{Source: branch("007", "1.0", "2024-01-02"), Destination: branch("007", "1e3", "yes")}},
		},
		"full names": {
			"syncs: [{source: {group: p, name: r, branch: refs/heads/main}, destination: {}}, {source: {group: p, name: r, branch: refs/tags/v1}, destination: {}}]\n",
			[]project.Sync{{Source: branch("p", "r", "main"), Destination: branch("p", "r", "main")}, {Source: branch("p", "r", "refs/tags/v1"), Destination: branch("p", "r", "refs/tags/v1")}},
		},
		"patterns": {
			"syncs: [{source: {group: p, name: r, branch: '*'}, destination: {branch: refs/heads/upstream/*}}, {source: {group: p, name: r, branch: release-*}, destination: {}}, {source: {group: p, name: r, branch: refs/*}, destination: {}}]\n",
			[]project.Sync{
				{Source: branch("p", "r", "refs/heads/*"), Destination: branch("p", "r", "refs/heads/upstream/*")},
				{Source: branch("p", "r", "refs/heads/release-*"), Destination: branch("p", "r", "refs/heads/release-*")},
				{Source: branch("p", "r", "refs/*"), Destination: branch("p", "r", "refs/*")},
			},
		},
		"the longest branch, in full": {
			"syncs: [{source: {group: p, name: r, branch: refs/heads/" + longest + "}, destination: {}}]\n",
			[]project.Sync{{Source: branch("p", "r", longest), Destination: branch("p", "r", longest)}},
		},
		// Names that GitLab or Git refuse are one sync's trouble, as those of the GraphQL server are.
		"a name that is not valid": {"syncs: [{source: {group: p, name: r, branch: a b}, destination: {}}]\n", []project.Sync{{Source: branch("p", "r", "a b"), Destination: branch("p", "r", "a b")}}},
		"a byte order mark":        {"\ufeffsyncs: []\r\n", []project.Sync{}},
		"one before JSON":          {"\ufeff\n{\"syncs\": []}", []project.Sync{}},
		"an anchor":                {"syncs: &all []\n", []project.Sync{}},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(tt.text, "\n") {
				tt.text = "syncs:" + tt.text
			}
			syncs, err := read(t, tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.want, syncs)
		})
	}
}

// Whatever is not a whole list fails the file, with the line and what to do.
func TestInvalidFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           `there is nothing in it: write "syncs: []" if there are none`,
		" \n\n":                      "there is nothing in it",
		"# none yet\n":               "there is nothing in it",
		"---\n":                      "there is nothing in it",
		"null\n":                     "there is nothing in it",
		"\x00\x00\x00\x00":           "control characters are not allowed",
		"\xff\xfes\x00y\x00":         "it is not UTF-8 text",
		"{}":                         "line 1: the file lacks syncs",
		"[]":                         "line 1: the file is a list, not a group of fields",
		"AGE-SECRET-KEY-1canary\n":   "line 1: the file is text, not a group of fields",
		"syncs:\n":                   `line 1: syncs is empty: write "[]" if there are none`,
		"syncs: none\n":              "line 1: syncs is text, not a list",
		"syncs: {}\n":                "line 1: syncs is a group of fields, not a list",
		"\nsyncs:\n  -\n":            "line 3: syncs[0] is empty, not a group of fields",
		"syncs: []\nsync: []\n":      `line 2: the file has no field "sync": look at its spelling`,
		"syncs: []\nsyncs: []\n":     `line 2: the field "syncs" is there twice`,
		"syncs: []\n---\nsyncs: []":  `there is more than one document in it: leave out "---"`,
		"syncs: []":                  "line 1: the last line has no end: if nothing of the file is missing, add a newline",
		"\nsyncs: []\n ":             "line 3: the last line has no end",
		"syncs:\n- source: {group: ": "line 3: ",
		oneSync + "  - source: {group: a, name: b, branch: c}\n":                                              "line 4: syncs[1] lacks destination",
		oneSync + "    destination: {group: b}\n":                                                             `line 4: the field "destination" is there twice`,
		oneSync + "  - source: {group: a, name: b}\n    destination: {}\n":                                    "line 4: syncs[1].source lacks branch",
		oneSync + "    destinatoin: {}\n":                                                                     `line 4: syncs[0] has no field "destinatoin"`,
		"syncs:\n- source: {group: 7, name: b, branch: c}\n  destination: {}\n":                               "line 2: syncs[0].source.group is a number, not text: put it into quotes if it is a name",
		"syncs:\n- source: {group: a, name: 1.5, branch: c}\n  destination: {}\n":                             "syncs[0].source.name is a number, not text",
		"syncs:\n- source: {group: a, name: b, branch: true}\n  destination: {}\n":                            "syncs[0].source.branch is true or false, not text",
		"syncs:\n- source: {group: a, name: b, branch: c}\n  destination:\n":                                  "line 3: syncs[0].destination is empty, not a group of fields",
		"syncs:\n- source: {group: a, name: b, branch: ''}\n  destination: {}\n":                              "syncs[0].source.branch is empty",
		"syncs:\n- source: {group: a, name: b, branch: c}\n  destination: {name: }\n":                         "syncs[0].destination.name is empty, not text",
		"syncs: [{source: {group: a, name: b, branch: " + strings.Repeat("c", 262) + "}, destination: {}}]\n": "syncs[0].source.branch has 262 characters, more than 261",
		"syncs:\n- &a {source: {group: a, name: b, branch: c}, destination: {}}\n- *a\n":                      "line 3: there is an alias (*): write out what it stands for",
		"syncs: &a [*a]\n":            "line 1: there is an alias (*)",
		"syncs: *a\n":                 "line 1: ",
		"x: &x {syncs: []}\n<<: *x\n": "line 2: there is an alias (*)",
		"syncs: !!binary aGk=\n":      "line 1: there is a tag (!)",
		"syncs: !!seq []\n":           "line 1: there is a tag (!): leave it out",
		"syncs: !!map []\n":           "line 1: there is a tag (!)",
		"syncs: !!null []\n":          "line 1: there is a tag (!)",
		"!!map\nsyncs: []\n":          "there is a tag (!)",
		"syncs: !!seq\n":              "line 1: there is a tag (!)",
		"syncs: !exec rm\n":           "line 1: there is a tag (!)",
		"? [a]\n: b\n":                "line 1: a field's name has to be a word",
		"syncs:\n\t- source: {}\n":    "line 2: ",
		"{\"syncs\": [}":              "line 1: ",
		"{\n\"syncs\":\n[}\n\n":       "line 3: ",
		"{\"syncs\":\n[\n{\"source\": {\"group\": 7, \"name\": true, \"branch\": null},\n\"destination\":\n1.5}]}": "line 3: syncs[0].source.branch is empty, not text: put it into quotes if it is a name\n" +
			"line 3: syncs[0].source.group is a number, not text: put it into quotes if it is a name\n" +
			"line 3: syncs[0].source.name is true or false, not text: put it into quotes if it is a name\n" +
			"line 5: syncs[0].destination is a number, not a group of fields",
		"syncs:\n- source: &a {group: a, name: b, branch: c}\n  destination: [*a]\n": "line 3: there is an alias (*)",
		strings.Repeat("[", 100_000):                      "exceeded max depth",
		strings.Repeat("{}", 1000) + "\n":                 "line 1: ",
		"syncs: [" + strings.Repeat(",", 1_000_001) + "]": "there are more than 1000000 values in it",
		"syncs:\n" + strings.Repeat("- - -\n", 333_334):   "there are more than 1000000 values in it",
		"\x1b]0;owned\a: 1\n":                             "control characters are not allowed",
	} {
		_, err := read(t, text)
		require.ErrorIs(t, err, syncsfile.ErrInvalid, "%.100q", text)
		require.ErrorContains(t, err, want, "%.100q", text)
		require.NotContains(t, err.Error(), "canary")
		require.NotContains(t, err.Error(), "line 0")
	}
}

// All that is wrong with a sync is told in the order of the file, and nothing else.
func TestProblemsAreInOrder(t *testing.T) {
	t.Parallel()
	_, err := syncsfile.Parse([]byte(`syncs:
- source:
    group: a
    title: b
    branch: {}
  destination:
    group: [a]
    name: b
    brnach: c
`))
	require.EqualError(t, err, strings.Join([]string{
		"line 3: syncs[0].source lacks name",
		`line 4: syncs[0].source has no field "title": look at its spelling, and how far it is indented`,
		"line 5: syncs[0].source.branch is a group of fields, not text",
		"line 7: syncs[0].destination.group is a list, not text",
		`line 9: syncs[0].destination has no field "brnach": look at its spelling, and how far it is indented`,
	}, "\n"))
}

// A file that is cut off anywhere but between two lines is no shorter list.
func TestHalfWrittenFiles(t *testing.T) {
	t.Parallel()
	block := strings.Repeat("  - source:\n      group: platform\n      name: router\n      branch: main\n    destination:\n      group: mirror\n", 3)
	for _, whole := range []string{"syncs:\n" + block, "syncs:\n" + strings.Repeat(oneSync[len("syncs:\n"):], 3)} {
		for size := range len(whole) {
			if whole[:size] == "" || whole[size-1] != '\n' {
				_, err := syncsfile.Parse([]byte(whole[:size]))
				require.Error(t, err, "%q", whole[:size])
			}
		}
	}
	compact := `{"syncs":[{"source":{"group":"platform","name":"router","branch":"main"},"destination":{"group":"mirror"}}]}`
	for size := range len(compact) {
		_, err := syncsfile.Parse([]byte(compact[:size]))
		require.Error(t, err, "%q", compact[:size])
	}
}

// However much is wrong, and however long its names are, the error stays short, and acts on no terminal.
func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	bad := "- {\"" + strings.Repeat("k", 1<<16) + "\\e[31m\\u202e\": 1}\n"
	_, err := read(t, "syncs:\n"+strings.Repeat(bad, 100))
	require.ErrorIs(t, err, syncsfile.ErrInvalid)
	require.Less(t, len(err.Error()), 4096)
	for _, r := range err.Error() {
		require.True(t, unicode.IsPrint(r) || r == '\n', "%q", err)
	}
	require.Equal(t, 10, strings.Count(err.Error(), "\n")+1, "two problems of each of the first five")

	var fields strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&fields, "f%d: 1\n", i)
	}
	_, err = read(t, fields.String())
	require.ErrorContains(t, err, `line 1: the file has no field "f0"`)
	require.Less(t, len(err.Error()), 1024)
}

// The most that one producer handles fits in, in any spelling, and one more does not.
func TestMostSyncs(t *testing.T) {
	t.Parallel()
	const most = 50_000
	block := "  - source:\n      group: platform/edge\n      name: router\n      branch: main\n    destination:\n      group: mirror/platform/edge\n      name: router\n      branch: main\n"
	_, err := read(t, "syncs:\n"+strings.Repeat(block, most+1))
	require.ErrorContains(t, err, "there are 50001 syncs in it, more than the 50000 that one producer handles")

	name := map[string]string{"group": "platform/edge-1", "name": "router-1", "branch": "release-1"}
	list := make([]any, most)
	for i := range list {
		list[i] = map[string]any{"source": name, "destination": name}
	}
	text, err := json.MarshalIndent(map[string]any{"syncs": list}, "", " ")
	require.NoError(t, err)
	require.Less(t, len(text), 16<<20)
	syncs, err := read(t, string(text))
	require.NoError(t, err)
	require.Len(t, syncs, most)
}

// Whatever is in the file, there is a list of whole syncs, or an error that can be shown.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		oneSync, "syncs: []\n", "", "syncs:\n", `{"syncs":[{"source":{"group":"a","name":"b","branch":"c"},"destination":{}}]}`,
		"syncs: &a [*a]\n", "a: &a [b]\nc: [*a, *a]\n", "? [a]\n: b\n", "syncs: !!binary aGk=\n", "---\n---\n", "syncs: [{source: {group: 1}}]\n", "<<: {syncs: []}\n", "%YAML 1.1\n---\nsyncs: []\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		syncs, err := syncsfile.Parse(text)
		if err != nil {
			require.Nil(t, syncs)
			require.Less(t, len(err.Error()), 8192)
			for _, r := range err.Error() {
				require.True(t, unicode.IsPrint(r) || r == '\n', "%q", err)
			}
			return
		}
		require.NotNil(t, syncs)
		for _, s := range syncs {
			for _, name := range []string{s.Source.Group, s.Source.Name, s.Source.Branch, s.Destination.Group, s.Destination.Name, s.Destination.Branch} {
				require.NotEmpty(t, name)
				require.LessOrEqual(t, len(name), 4*255)
			}
		}
	})
}
