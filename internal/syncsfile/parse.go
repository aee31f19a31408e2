package syncsfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// maxSyncs is how many syncs one producer handles.
	maxSyncs = 50_000
	// maxValues bounds the values in the file, which take more memory than text. A sync has at most 17.
	maxValues = 1_000_000
	// maxShown is how much of the parser's words, or of a name in the file, is shown, in characters.
	maxShown = 100
)

// Parse reads the text of a file. What is wrong has its line, where it has one.
func Parse(text []byte) ([]project.Sync, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	switch {
	case !utf8.Valid(text):
		return nil, errors.New("it is not UTF-8 text")
	case countValues(text) > maxValues:
		return nil, fmt.Errorf("there are more than %d values in it", maxValues)
	}
	load := loadYAML
	if begin := bytes.TrimSpace(text); bytes.HasPrefix(begin, []byte("{")) || bytes.HasPrefix(begin, []byte("[")) {
		load = loadJSON
	}
	root, err := load(text)
	if err != nil {
		return nil, err
	}
	return syncsIn(root)
}

// countValues counts what may begin a value, and leaves to the parser whether it does.
func countValues(text []byte) (n int) {
	for i, b := range text {
		switch b {
		case ':', ',', '[', '{':
			n++
		case '-', '?': // a list's entry or a key, if it is no letter of a name
			if i+1 == len(text) || text[i+1] <= ' ' {
				n++
			}
		}
	}
	return n
}

// loadYAML parses the only document.
func loadYAML(text []byte) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var document, second yaml.Node
	switch err := loader.Load(&document); {
	case errors.Is(err, io.EOF) || err == nil && document.Content[0].ShortTag() == nullTag:
		return nil, errors.New(`there is nothing in it: write "syncs: []" if there are none`)
	case err != nil:
		return nil, errors.New(words(err))
	case !errors.Is(loader.Load(&second), io.EOF):
		return nil, errors.New(`there is more than one document in it: leave out "---"`)
	case !bytes.HasSuffix(text, []byte("\n")): // a name that is cut off is still YAML
		return nil, fmt.Errorf("line %d: the last line has no end: if nothing of the file is missing, add a newline", 1+bytes.Count(text, []byte("\n")))
	}
	return document.Content[0], nil
}

// words are what the parser says, after the line.
func words(err error) string {
	var failure *yaml.LoadError
	if !errors.As(err, &failure) || failure.Mark.Line == 0 {
		return foreign.Line(err.Error(), maxShown)
	}
	return fmt.Sprintf("line %d: %s", failure.Mark.Line, foreign.Line(failure.Message, maxShown))
}

// syncsIn validates the file's outermost fields, and then one sync after the other: the file costs little more memory than its
// nodes do, however much is wrong with it.
func syncsIn(root *yaml.Node) ([]project.Sync, error) {
	items := takeItems(root)
	if _, err := check("", "the file", root); err != nil {
		return nil, err
	}
	if len(items) > maxSyncs {
		return nil, fmt.Errorf("there are %d syncs in it, more than the %d that one producer handles", len(items), maxSyncs)
	}
	syncs := make([]project.Sync, 0, len(items))
	var wrong []error
	for i, item := range items {
		tree, err := check("#/$defs/sync", fmt.Sprintf("syncs[%d]", i), item)
		if err == nil {
			syncs = append(syncs, syncOf(tree.(map[string]any)))
		} else if wrong = append(wrong, err); len(wrong) == maxProblems {
			break // there may be more, which nobody reads before these are mended
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return syncs, nil
}

// takeItems empties the list of syncs, and returns what was in it.
func takeItems(root *yaml.Node) (items []*yaml.Node) {
	if list := child(root, "syncs"); list.Kind == yaml.SequenceNode {
		items, list.Content = list.Content, nil
	}
	return items
}

// syncOf reads what is valid. What a destination leaves out is as at the source.
func syncOf(tree map[string]any) project.Sync {
	source := branchOf(tree["source"], project.Branch{})
	return project.Sync{Source: source, Destination: branchOf(tree["destination"], source)}
}

func branchOf(tree any, b project.Branch) project.Branch {
	for name, value := range tree.(map[string]any) {
		switch text := value.(string); name {
		case "group":
			b.Group = text
		case "name":
			b.Name = text
		case "branch":
			b.Branch = project.CanonicalBranch(text)
		}
	}
	return b
}
