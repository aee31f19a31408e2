// Package objectkey names the objects of the bucket. A key says which commit of
// which destination branch its object carries, so that a listing alone is
// enough to plan.
//
// A snapshot's key is the standard, padded base64 of
//
//	{"group":"…","project_name":"…","commit_sha":"…","branch":"…"}
//
// followed by ".tar.age". An increment has the same key below a folder that is
// named after the commit it builds on.
package objectkey

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"

	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	suffix = ".tar.age"

	// maxKey is the longest key S3 allows, in bytes. MinIO and the file-backed
	// gateways refuse more than 255 between two slashes: they say so themselves.
	maxKey = 1024
)

var (
	// ErrTooLong says that the names of a branch do not fit into a key.
	ErrTooLong = errors.New("names are too long for an object key")

	// ErrUndecodable says that a key is not one of ours.
	ErrUndecodable = errors.New("undecodable object key")
)

// Key is what an object's key says. Commit and Base are full SHA-1 object names
// in lower-case hexadecimal.
type Key struct {
	Destination project.Branch
	Commit      string // the commit that the destination branch becomes
	// Base is the commit that an increment builds on; empty for a snapshot. An
	// increment on its own commit carries nothing: it says that the branch is there again.
	Base string
}

// payload has the members in the order that the format prescribes.
type payload struct {
	Group   string `json:"group"`
	Project string `json:"project_name"`
	Commit  string `json:"commit_sha"`
	Branch  string `json:"branch"`
}

// Encode returns the key as the bucket has it. It fails with ErrTooLong when the
// names do not fit, or when a name or commit is invalid.
func (k Key) Encode() (string, error) {
	if err := k.validate(); err != nil {
		return "", fmt.Errorf("object key of %q: %w", k.Destination, err)
	}
	text, err := asciiJSON(payload{k.Destination.Group, k.Destination.Name, k.Commit, k.Destination.Branch})
	if err != nil {
		return "", fmt.Errorf("object key of %q: %w", k.Destination, err)
	}
	key := base64.StdEncoding.EncodeToString(text) + suffix
	if k.Base != "" {
		key = k.Base + "/" + key
	}
	if len(key) > maxKey {
		return "", fmt.Errorf("object key of %q: %w: %d bytes encoded, limit %d", k.Destination, ErrTooLong, len(key), maxKey)
	}
	return key, nil
}

// Prefix is what the keys of all objects of a project on one base begin with, whatever their branch and commit, as
// Encode writes them.
func Prefix(destination project.Branch, base string) (string, error) {
	text, err := asciiJSON(payload{Group: destination.Group, Project: destination.Name})
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

func (k Key) validate() error {
	switch {
	case !project.ValidCommit(k.Commit):
		return fmt.Errorf("commit %q is not a full SHA-1", k.Commit)
	case k.Base != "" && !project.ValidCommit(k.Base):
		return fmt.Errorf("base %q is not a full SHA-1", k.Base)
	}
	return k.Destination.Validate()
}

// asciiJSON escapes all but ASCII, and '?' and DEL, as \uXXXX. Object stores
// refuse or collapse "//", and in standard base64 a '/' is six bits set: a byte
// below 0x80 has its top bit clear, so only the last sextet of a group, the low
// six bits of a byte, can be that, and of all ASCII those two bytes have it.
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
