package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// The versions of the archive that this package writes and reads. The first knows branches only: who reads no other
// would take the full name of a tag, or the pattern of a set of refs, for the name of a branch. Who reads no third would
// push commits without their LFS objects.
const (
	branchVersion = 1
	refVersion    = 2
	lfsVersion    = 3
)

// maxManifestSize bounds a manifest's size in bytes; ours are below 2 KiB.
const maxManifestSize = 64 << 10

var (
	// ErrVersion says that another version of the software made the archive, in a format that this one does not know.
	ErrVersion = errors.New("unknown format version")

	// ErrMismatch says that an object's manifest and its key describe different objects.
	ErrMismatch = errors.New("manifest and object key disagree")

	// ErrEnvironment says that an object was made for another environment.
	ErrEnvironment = errors.New("made for another environment")
)

// Bundle describes a Git bundle.
type Bundle struct {
	object.ID
	Thin      bool      `json:"thin,omitempty"` // the increment's pack is thin: it is not complete without the base
	CreatedAt time.Time `json:"created_at"`     // of the manifest, in UTC
	Size      int64     `json:"bundle_size"`    // bytes
	SHA256    string    `json:"bundle_sha256"`  // lower-case hexadecimal

	// Of a set of refs, what BindRefs says of the archive's member with its refs.
	RefsSize   int64  `json:"refs_size,omitempty"`   // bytes
	RefsSHA256 string `json:"refs_sha256,omitempty"` // lower-case hexadecimal

	// What BindLFS says of the archive's member with the list of LFS objects.
	LFSSize   int64  `json:"lfs_size,omitempty"`   // bytes
	LFSSHA256 string `json:"lfs_sha256,omitempty"` // lower-case hexadecimal
}

// Manifest binds the bundle of an archive to the branch, tag or set of refs that it is for.
type Manifest struct {
	FormatVersion int `json:"format_version"` // set by Encode
	Bundle
	CreatedBy string `json:"created_by"` // software and its version
	// Environment is the name of the two sides that the object is for. It is empty when the producer has no name for
	// them.
	Environment string `json:"environment,omitempty"`
}

var sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Encode returns m as indented JSON, for operators to read.
func (m Manifest) Encode() ([]byte, error) {
	m.FormatVersion = m.Bundle.version()
	m.CreatedAt = m.CreatedAt.UTC()
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return append(text, '\n'), nil
}

// ParseManifest reads what Encode wrote in this release, or in a later one that only added members. It fails with
// ErrVersion or ErrMalformed.
func ParseManifest(text []byte) (Manifest, error) {
	if len(text) > maxManifestSize {
		return Manifest{}, malformed("manifest: %d bytes, limit %d", len(text), maxManifestSize)
	}
	// The version is read first, because in another version everything else may have another shape.
	var version struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return Manifest{}, malformed("manifest: %w", err)
	}
	switch v := version.FormatVersion; {
	case v > lfsVersion:
		return Manifest{}, fmt.Errorf("%w %d: made by a newer version of the software, which writes more than this one reads (%d)", ErrVersion, v, lfsVersion)
	case v < branchVersion:
		return Manifest{}, fmt.Errorf("%w %d, expected %d to %d", ErrVersion, v, branchVersion, lfsVersion)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, malformed("manifest: %w", err)
	}
	m.CreatedAt = m.CreatedAt.UTC()
	if err := m.validate(); err != nil {
		return Manifest{}, malformed("manifest: %w", err)
	}
	return m, nil
}

func (m Manifest) validate() error {
	if err := m.ID.Validate(); err != nil {
		return err
	}
	switch {
	case m.FormatVersion != m.Bundle.version():
		return fmt.Errorf("format_version %d is not that of a %s", m.FormatVersion, m.kind())
	case m.CreatedAt.Unix() <= 0 || m.CreatedAt.Year() > 9999:
		return fmt.Errorf("created_at %s is not between 1970 and 9999", m.CreatedAt.Format(time.RFC3339))
	case m.Size <= 0:
		return fmt.Errorf("bundle_size %d is not positive", m.Size)
	case !sha256Pattern.MatchString(m.SHA256):
		return fmt.Errorf("bundle_sha256 %q is not a SHA-256", m.SHA256)
	}
	if err := m.validateRefs(); err != nil {
		return err
	}
	if err := m.validateLFS(); err != nil {
		return err
	}
	if m.Environment == "" {
		return nil
	}
	if _, err := ParseEnvironment(m.Environment); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	return nil
}

func (b Bundle) version() int {
	switch {
	case b.HasLFS():
		return lfsVersion
	case b.Destination.IsTag() || b.Destination.IsSet():
		return refVersion
	}
	return branchVersion
}

// kind is what the version goes by, for people.
func (b Bundle) kind() string {
	if b.HasLFS() {
		return b.Destination.Kind() + " with LFS objects"
	}
	return b.Destination.Kind()
}

// CheckID fails with ErrMismatch when m is not the manifest of the object with this ID, which comes from the object's
// key. Someone may have copied the object to another key, or swapped two objects.
func (m Manifest) CheckID(key object.ID) error {
	for _, field := range []struct{ name, manifest, key string }{
		{"group", m.Destination.Group, key.Destination.Group},
		{"project_name", m.Destination.Name, key.Destination.Name},
		{"branch", m.Destination.Branch, key.Destination.Branch},
		{"commit_sha", m.Commit, key.Commit},
		{"base_sha", m.Base, key.Base},
	} {
		if field.manifest != field.key {
			return fmt.Errorf("%w: %s is %q in the manifest, %q in the key", ErrMismatch, field.name, field.manifest, field.key)
		}
	}
	return nil
}
