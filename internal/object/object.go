// Package object identifies the objects in the bucket. An object's ID says which commit of which destination branch
// it carries, and on which commit it builds. The object's key encodes the ID, so that a listing alone is enough to
// plan.
//
// A snapshot's key is the standard, padded base64 of
//
//	{"group":"…","project_name":"…","commit_sha":"…","branch":"…"}
//
// followed by ".tar.age". An increment has the same key below a folder that is named after its base.
//
// The predecessor of this software has its own objects in such a bucket. Their keys have the members local_branch and
// remote_branch instead of branch.
package object

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"

	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	keySuffix = ".tar.age"

	// MaxKeyLength is the longest key S3 allows, in bytes. MinIO and the file-backed
	// gateways refuse more than 255 between two slashes: they say so themselves.
	MaxKeyLength = 1024
)

var (
	// ErrTooLong says that the names of a branch do not fit into a key.
	ErrTooLong = errors.New("names are too long for an object key")

	// ErrUndecodable says that a key is not one of ours.
	ErrUndecodable = errors.New("undecodable object key")
)

// ID identifies an object. Keys and manifests encode it, and every type that describes an object embeds it. Commit
// and Base are full SHA-1 object names in lower-case hexadecimal.
type ID struct {
	Destination project.Branch `json:"destination"`
	Commit      string         `json:"commit_sha"` // the commit that the destination branch becomes
	// Base is the commit that an increment builds on. It is empty for a snapshot. An increment on its own commit carries
	// nothing: it says that the branch is at an earlier commit again.
	Base string `json:"base_sha,omitempty"`
}

// Stored is an object in the bucket. Its JSON leaves out the ID, which the key encodes.
type Stored struct {
	ID       `json:"-"`
	Key      string    `json:"key"`      // under which it is found; see ParseKey
	Size     int64     `json:"size"`     // bytes
	Modified time.Time `json:"modified"` // when it was uploaded, as the bucket says it; S3 gives whole seconds
	// ETag changes with the content, as the bucket says it. It is empty where nobody has asked for it.
	ETag string `json:"-"`
	// SourceBranch is what the archive of an object of the predecessor has the branch as; empty for one of ours.
	SourceBranch string `json:"-"`
}

// ByPredecessor tells whether the predecessor writes such a key.
func (s Stored) ByPredecessor() bool { return s.SourceBranch != "" }

// NewStored returns the object that a listing describes: one of ours, or of the predecessor. It fails with ErrUndecodable.
func NewStored(key string, size int64, modified time.Time) (Stored, error) {
	id, sourceBranch, err := parseID(key)
	if err != nil {
		return Stored{}, undecodable(key, err)
	}
	return Stored{ID: id, Key: key, Size: size, Modified: modified, SourceBranch: sourceBranch}, nil
}

// UnmarshalJSON fails with ErrUndecodable when the key is not one of ours.
func (s *Stored) UnmarshalJSON(text []byte) (err error) {
	type withoutID Stored
	var in withoutID
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*s, err = NewStored(in.Key, in.Size, in.Modified)
	return err
}

// keyMembers has the JSON members in the order that the format prescribes.
type keyMembers struct {
	Group   string `json:"group"`
	Project string `json:"project_name"`
	Commit  string `json:"commit_sha"`
	Branch  string `json:"branch"`
}

// predecessorMembers has those of the predecessor's keys in its order.
type predecessorMembers struct {
	Group       string `json:"group"`
	Project     string `json:"project_name"`
	Commit      string `json:"commit_sha"`
	Source      string `json:"local_branch"`
	Destination string `json:"remote_branch"`
}

// Key returns the object's key in the bucket. It fails with ErrTooLong when the names do not fit, and with other
// errors when a name or commit is invalid.
func (id ID) Key() (string, error) {
	return id.encodeKey(keyMembers{id.Destination.Group, id.Destination.Name, id.Commit, id.Destination.Branch})
}

// PredecessorKey returns the key of an object that is written for the predecessor's consumer, whose archive has the branch under
// the destination's name. There are no increments of that kind. It fails as Key does.
func (id ID) PredecessorKey() (string, error) {
	if id.Base != "" {
		return "", fmt.Errorf("object key of %q: the predecessor has no increments", id.Destination)
	}
	branch := id.Destination.Branch
	return id.encodeKey(predecessorMembers{id.Destination.Group, id.Destination.Name, id.Commit, branch, branch})
}

func (id ID) encodeKey(members any) (string, error) {
	if err := id.Validate(); err != nil {
		return "", fmt.Errorf("object key of %q: %w", id.Destination, err)
	}
	encoded, err := EncodeMembers(members)
	if err != nil {
		return "", fmt.Errorf("object key of %q: %w", id.Destination, err)
	}
	key := encoded + keySuffix
	if id.Base != "" {
		key = id.Base + "/" + key
	}
	if len(key) > MaxKeyLength {
		return "", fmt.Errorf("object key of %q: %w: %d bytes encoded, limit %d", id.Destination, ErrTooLong, len(key), MaxKeyLength)
	}
	return key, nil
}

// KeyPrefix returns what all keys of a project on one base start with, whatever their branch and commit, as ID.Key
// writes them.
func KeyPrefix(destination project.Branch, base string) (string, error) {
	text, err := asciiJSON(keyMembers{Group: destination.Group, Project: destination.Name})
	if err != nil {
		return "", fmt.Errorf("object keys of %q: %w", destination, err)
	}
	text = bytes.TrimSuffix(text, []byte(`","branch":""}`)) // up to the commit
	prefix := base64.StdEncoding.EncodeToString(text[:len(text)-len(text)%3])
	if base != "" {
		prefix = base + "/" + prefix
	}
	return prefix, nil
}

// Validate returns what is wrong with a name or a commit.
func (id ID) Validate() error {
	switch {
	case !project.ValidCommit(id.Commit):
		return fmt.Errorf("commit %q is not a full SHA-1", id.Commit)
	case id.Base != "" && !project.ValidCommit(id.Base):
		return fmt.Errorf("base %q is not a full SHA-1", id.Base)
	}
	return id.Destination.Validate()
}

// EncodeMembers returns the base64 of a value as JSON, for a key: ASCII without a '/'.
func EncodeMembers(v any) (string, error) {
	text, err := asciiJSON(v)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(text), nil
}

// asciiJSON escapes everything but ASCII, and also '?' and DEL, as \uXXXX. Object stores refuse or collapse "//". In
// standard base64, '/' stands for six set bits. A byte below 0x80 has a clear top bit, so only the last sextet of a
// group can be six set bits: the low six bits of a byte. Of all ASCII, only '?' and DEL have those.
func asciiJSON(v any) ([]byte, error) {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	var escaped []byte
	for _, r := range string(bytes.TrimSuffix(plain.Bytes(), []byte("\n"))) {
		switch {
		case r < 0x7f && r != '?':
			escaped = append(escaped, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	return escaped, nil
}
