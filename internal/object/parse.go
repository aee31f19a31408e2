package object

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// ParseKey decodes the key of one of our objects, whoever wrote it. The order of the JSON members does not matter, and
// unknown members are ignored. So the ID's own Key may differ from the key that was listed, and only the listed one
// finds the object.
//
// Every error is an ErrUndecodable.
func ParseKey(key string) (ID, error) {
	id, sourceBranch, err := parseID(key)
	if err == nil && sourceBranch != "" {
		err = errors.New("it is one of the predecessor's")
	}
	if err != nil {
		return ID{}, undecodable(key, err)
	}
	return id, nil
}

func undecodable(key string, err error) error {
	return fmt.Errorf("%w %s: %w", ErrUndecodable, foreign.Quote(key, 300), err)
}

// parseID returns what the key says, and of one of the predecessor's the branch at the source.
func parseID(key string) (id ID, sourceBranch string, err error) {
	if len(key) > MaxKeyLength {
		return ID{}, "", fmt.Errorf("%d bytes, limit %d", len(key), MaxKeyLength)
	}
	encoded, ok := strings.CutSuffix(key, keySuffix)
	if !ok {
		return ID{}, "", fmt.Errorf("does not end in %q", keySuffix)
	}
	// The base64 of other encoders may contain a '/', too. What is before that is base64 of JSON, and never a commit.
	base := ""
	if folder, rest, ok := strings.Cut(encoded, "/"); ok && project.ValidCommit(folder) {
		base, encoded = folder, rest
	}
	members, err := DecodeMembers(encoded)
	if err != nil {
		return ID{}, "", err
	}
	id = ID{
		Destination: project.Branch{Group: members["group"], Name: members["project_name"], Branch: members["branch"]},
		Commit:      members["commit_sha"],
		Base:        base,
	}
	if id.Destination.Branch != "" {
		if members[sourceMember]+members[destinationMember] != "" {
			return ID{}, "", errors.New("it names its branch as we do and as the predecessor does")
		}
		return id, "", id.Validate()
	}
	id.Destination.Branch = members[destinationMember]
	sourceBranch = members[sourceMember]
	return id, sourceBranch, validatePredecessor(id, sourceBranch)
}

// Members of the predecessor's keys.
const (
	sourceMember      = "local_branch"
	destinationMember = "remote_branch"
)

func validatePredecessor(id ID, sourceBranch string) error {
	if err := id.Validate(); err != nil {
		return err
	}
	if id.Base != "" {
		return errors.New("the predecessor writes no increments")
	}
	if err := project.ValidateBranch(sourceBranch); err != nil {
		return fmt.Errorf("%s: %w", sourceMember, err)
	}
	for _, b := range []project.Branch{id.Destination, {Branch: sourceBranch}} {
		if b.IsTag() || b.IsSet() {
			return fmt.Errorf("the predecessor writes branches, and %q is a %s", b.Branch, b.Kind())
		}
	}
	return nil
}

// DecodeMembers returns the members of the JSON object that a key has as base64, those that are strings. It refuses two
// members of one name.
func DecodeMembers(encoded string) (map[string]string, error) {
	// The decoder skips line breaks, so that one ID would have many keys.
	if strings.ContainsAny(encoded, "\r\n") {
		return nil, errors.New("line break in base64")
	}
	text, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, errors.New("JSON is not UTF-8")
	}
	return stringMembers(text)
}

// stringMembers returns the string members of a JSON object. It reads member by member because json.Unmarshal takes
// the last of two equal names, and matches names regardless of case: two readers could then see two different
// branches.
func stringMembers(text []byte) (map[string]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	seen := map[string]bool{}
	members := map[string]string{}
	for decoder.More() {
		name, value, err := readMember(decoder)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("duplicate JSON member %q", name)
		}
		seen[name] = true
		if text, ok := value.(string); ok {
			members[name] = text
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("malformed JSON: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("data after the JSON object")
	}
	return members, nil
}

func readMember(decoder *json.Decoder) (name string, value any, err error) {
	token, err := decoder.Token()
	if err != nil {
		return "", nil, fmt.Errorf("malformed JSON: %w", err)
	}
	name, ok := token.(string)
	if !ok {
		return "", nil, errors.New("malformed JSON: member without a name")
	}
	if err := decoder.Decode(&value); err != nil {
		return "", nil, fmt.Errorf("malformed JSON: %w", err)
	}
	return name, value, nil
}
