package syncsfile

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v4"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

//go:embed syncs.schema.json
var schemaText []byte

// maxProblems is how many problems of a sync, and how many syncs with problems, are told at once.
const maxProblems = 5

// schemas are those of the whole file and of one sync, by their place in the file's schema.
var schemas = sync.OnceValue(func() map[string]*jsonschema.Schema {
	const name, oneSync = "syncs.schema.json", "#/$defs/sync"
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	compiler := jsonschema.NewCompiler()
	if err = errors.Join(err, compiler.AddResource(name, text)); err != nil {
		panic(err)
	}
	return map[string]*jsonschema.Schema{"": compiler.MustCompile(name), oneSync: compiler.MustCompile(name + oneSync)}
})

// problem is something that the schema does not allow.
type problem struct {
	line int
	text string
}

// check returns the tree of a node that the schema at a place allows. Else it tells the first problems, with their lines.
func check(place, name string, node *yaml.Node) (any, error) {
	tree, err := treeOf(node)
	if err != nil {
		return nil, err
	}
	var invalid *jsonschema.ValidationError
	if err := schemas()[place].Validate(tree); !errors.As(err, &invalid) {
		return tree, err
	}
	problems := problemsOf(invalid, name, node, nil)
	slices.SortFunc(problems, func(a, b problem) int { return cmp.Or(a.line-b.line, strings.Compare(a.text, b.text)) })
	var texts []string
	for _, p := range problems[:min(len(problems), maxProblems)] {
		texts = append(texts, fmt.Sprintf("line %d: %s", p.line, p.text))
	}
	return nil, errors.New(strings.Join(texts, "\n"))
}

// problemsOf adds the leaves of an error's tree: what is above them only says that there are some.
func problemsOf(invalid *jsonschema.ValidationError, name string, node *yaml.Node, problems []problem) []problem {
	for _, cause := range invalid.Causes {
		problems = problemsOf(cause, name, node, problems)
	}
	if len(invalid.Causes) > 0 {
		return problems
	}
	for _, step := range invalid.InstanceLocation {
		node = child(node, step)
		name = strings.TrimPrefix(name+"."+foreign.Line(step, maxShown), "the file.")
	}
	if unknown, ok := invalid.ErrorKind.(*kind.AdditionalProperties); ok {
		for i := 0; i < len(node.Content) && len(problems) < maxProblems; i += 2 {
			if key := node.Content[i]; slices.Contains(unknown.Properties, key.Value) {
				problems = append(problems, problem{key.Line, fmt.Sprintf("%s has no field %s: look at its spelling, and how far it is indented", name, foreign.Quote(key.Value, maxShown))})
			}
		}
		return problems
	}
	return append(problems, problem{node.Line, name + " " + said(invalid.ErrorKind)})
}

// child finds a field's value.
func child(node *yaml.Node, field string) *yaml.Node {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == field {
			return node.Content[i+1]
		}
	}
	return node
}

// said is what is wrong with a value, in words that also those know who do not know JSON Schema.
func said(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Required:
		return "lacks " + strings.Join(k.Missing, ", ")
	case *kind.Type:
		return wrongType(k)
	case *kind.MinLength:
		return "is empty"
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters, more than %d", k.Got, k.Want)
	}
	return foreign.Line(k.LocalizedString(message.NewPrinter(language.English)), maxShown)
}

// typeNames are the types of JSON in the words of YAML.
var typeNames = map[string]string{
	"null": "empty", "boolean": "true or false", "number": "a number", "string": "text", "array": "a list", "object": "a group of fields",
}

func wrongType(k *kind.Type) string {
	got, want := typeNames[k.Got], typeNames[k.Want[0]]
	switch {
	case k.Want[0] == "array" && k.Got == "null":
		return `is empty: write "[]" if there are none`
	case k.Want[0] == "string" && k.Got != "array" && k.Got != "object":
		return fmt.Sprintf("is %s, not text: put it into quotes if it is a name", got)
	}
	return fmt.Sprintf("is %s, not %s", got, want)
}
