package graphql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// checkQuery refuses a replacement for the built-in query from which the syncs could not be read. It looks for the
// fields that are read instead of validating the query against Schema, because the server's own schema has more
// fields.
func checkQuery(text string, required [][]string) error {
	doc, err := parser.ParseQuery(&ast.Source{Name: "query", Input: text})
	if err != nil {
		return fmt.Errorf("graphql query: %w", err)
	}
	if n := len(doc.Operations); n != 1 {
		return fmt.Errorf("graphql query has %d operations, want one", n)
	}
	op := doc.Operations[0]
	if op.Operation != ast.Query {
		return fmt.Errorf("graphql query is a %s", op.Operation)
	}
	if len(op.VariableDefinitions) > 0 {
		return errors.New("graphql query declares variables, and nothing sets them")
	}
	for _, path := range required {
		if !selects(op.SelectionSet, doc.Fragments, path) {
			return fmt.Errorf("graphql query does not select %s", strings.Join(path, "."))
		}
	}
	return nil
}

// saasPaths are the paths that SaasFile reads.
var saasPaths = [][]string{{"saas_files", "name"}, {"saas_files", "resourceTemplates", "targets", "ref"}}

// syncPaths lists the paths that Syncs reads. The server would answer a query without one of them with no sync,
// or with none that is valid, but not with an error.
func syncPaths() [][]string {
	var paths [][]string
	for _, project := range []string{"sourceProject", "destinationProject"} {
		for _, field := range []string{"name", "group", "branch"} {
			paths = append(paths, []string{"apps_v1", "codeComponents", "gitlabSync", project, field})
		}
	}
	return paths
}

// selects tells whether the answer to a selection contains the path. Each step of the path is a response key
// (GraphQL, section 2.7): a field's alias, or else its name.
func selects(set ast.SelectionSet, fragments ast.FragmentDefinitionList, path []string) bool {
	if len(path) == 0 {
		return true
	}
	return slices.ContainsFunc(set, func(selection ast.Selection) bool {
		switch s := selection.(type) {
		case *ast.Field:
			return s.Alias == path[0] && selects(s.SelectionSet, fragments, path[1:])
		case *ast.InlineFragment:
			return selects(s.SelectionSet, fragments, path)
		case *ast.FragmentSpread:
			return spreadSelects(s.Name, fragments, path)
		}
		return false
	})
}

// spreadSelects follows a fragment. It hides the fragment from its own selection, because following one that spreads
// itself would not end. GraphQL forbids those, but the parser accepts them.
func spreadSelects(name string, fragments ast.FragmentDefinitionList, path []string) bool {
	fragment := fragments.ForName(name)
	if fragment == nil {
		return false
	}
	rest := slices.DeleteFunc(slices.Clone(fragments), func(f *ast.FragmentDefinition) bool { return f == fragment })
	return selects(fragment.SelectionSet, rest, path)
}
