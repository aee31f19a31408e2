package graphql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// checkQuery refuses a replacement for the built-in operation from which the
// syncs could not be read. It asks for the fields that are read and not for
// validity against Schema: the server's own schema has more to select.
func checkQuery(text string) error {
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
	for _, path := range requiredPaths() {
		if !selects(op.SelectionSet, doc.Fragments, path) {
			return fmt.Errorf("graphql query does not select %s", strings.Join(path, "."))
		}
	}
	return nil
}

// requiredPaths lists the paths that Syncs reads. A query without one of them would be
// answered with no sync, or with none that is valid, and not with an error.
func requiredPaths() [][]string {
	var paths [][]string
	for _, side := range []string{"sourceProject", "destinationProject"} {
		for _, field := range []string{"name", "group", "branch"} {
			paths = append(paths, []string{"apps_v1", "codeComponents", "gitlabSync", side, field})
		}
	}
	return paths
}

// selects reports whether the answer to the selection has the path, whose steps
// are response keys (GraphQL, section 2.7): a field's alias or else its name.
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

// spreadSelects hides the fragment from its own selection: one that spreads itself,
// which GraphQL forbids and the parser lets through, would not end.
func spreadSelects(name string, fragments ast.FragmentDefinitionList, path []string) bool {
	fragment := fragments.ForName(name)
	if fragment == nil {
		return false
	}
	rest := slices.DeleteFunc(slices.Clone(fragments), func(f *ast.FragmentDefinition) bool { return f == fragment })
	return selects(fragment.SelectionSet, rest, path)
}
