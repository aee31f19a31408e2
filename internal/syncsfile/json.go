package syncsfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// loadJSON makes the nodes of JSON that a YAML parser would make. That one knows less of JSON's escapes, and keeps all of a
// text in braces in memory until they are closed.
func loadJSON(text []byte) (*yaml.Node, error) {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); errors.As(err, &syntax) {
		before := text[:min(int(syntax.Offset), len(text))]
		return nil, fmt.Errorf("line %d: %s", 1+bytes.Count(before, []byte("\n")), foreign.Line(err.Error(), maxShown))
	}
	reader := &jsonReader{text: text, decoder: json.NewDecoder(bytes.NewReader(text)), line: 1}
	reader.decoder.UseNumber()
	return reader.node()
}

// jsonReader reads a valid text.
type jsonReader struct {
	text    []byte
	decoder *json.Decoder
	offset  int64 // to which line is counted
	line    int
}

// node reads the next value, or the key before one.
func (r *jsonReader) node() (*yaml.Node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	now := r.decoder.InputOffset()
	r.line += bytes.Count(r.text[r.offset:now], []byte("\n"))
	r.offset = now
	node := &yaml.Node{Kind: yaml.ScalarNode, Line: r.line}
	switch token := token.(type) {
	case string:
		node.Tag, node.Value = "!!str", token
	case json.Number:
		node.Tag = "!!float"
	case bool:
		node.Tag = "!!bool"
	case nil:
		node.Tag = nullTag
	case json.Delim:
		node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
		if token == '{' {
			node.Kind, node.Tag = yaml.MappingNode, "!!map"
		}
		for r.decoder.More() {
			child, err := r.node()
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err = r.decoder.Token()
	}
	return node, err
}
