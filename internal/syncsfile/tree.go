package syncsfile

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// nullTag is that of a value that is left empty.
const nullTag = "!!null"

// treeOf makes of a node what a JSON parser would make of it. Keys that are there twice, and what JSON does not have, are refused.
func treeOf(node *yaml.Node) (any, error) {
	if node.Kind != yaml.ScalarNode && node.Style&yaml.TaggedStyle != 0 {
		return nil, errTag(node)
	}
	switch node.Kind {
	case yaml.MappingNode:
		return mapOf(node)
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			value, err := treeOf(item)
			if err != nil {
				return nil, err
			}
			list[i] = value
		}
		return list, nil
	case yaml.ScalarNode:
		return scalarOf(node)
	}
	return nil, fmt.Errorf("line %d: there is an alias (*): write out what it stands for", node.Line)
}

func scalarOf(node *yaml.Node) (any, error) {
	switch node.ShortTag() {
	case "!!str", "!!timestamp": // JSON has no time
		return node.Value, nil
	case nullTag:
		return nil, nil
	case "!!bool":
		return false, nil
	case "!!int", "!!float":
		return 0, nil // which number it is does not matter: no field has one
	}
	return nil, errTag(node)
}

func errTag(node *yaml.Node) error {
	return fmt.Errorf("line %d: there is a tag (!): leave it out", node.Line)
}

func mapOf(node *yaml.Node) (any, error) {
	values := make(map[string]any, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a field's name has to be a word", key.Line)
		}
		if _, twice := values[key.Value]; twice {
			return nil, fmt.Errorf("line %d: the field %s is there twice", key.Line, foreign.Quote(key.Value, maxShown))
		}
		value, err := treeOf(node.Content[i+1])
		if err != nil {
			return nil, err
		}
		values[key.Value] = value
	}
	return values, nil
}
