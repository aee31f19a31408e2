package lfs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// Root is what the keys of LFS objects begin with, and no other key: base64 of JSON begins with "e", a base with a
	// hexadecimal digit, and the catalog with "c". It is behind all of these in a listing.
	Root = "lfs/"

	// SegmentSize is how many bytes of an LFS object are in an object of the bucket, which is one of its segments; the
	// last one has what is left. It belongs to the format.
	SegmentSize = 512 << 20

	maxSegments = MaxSize / SegmentSize
	keySuffix   = ".age"
)

// Segments is how many segments the object has. An empty one has one.
func (o Object) Segments() int {
	return int(max(1, (o.Size+SegmentSize-1)/SegmentSize))
}

// Segment returns where in the object's content segment n begins, and its length, both in bytes. The first is 1.
func (o Object) Segment(n int) (offset, length int64) {
	offset = int64(n-1) * SegmentSize
	return offset, min(o.Size-offset, SegmentSize)
}

// folderMembers has the JSON members in the order that the format prescribes.
type folderMembers struct {
	Group   string `json:"group"`
	Project string `json:"project_name"`
}

// Folder returns what the keys of a project's LFS objects begin with, up to and with a slash. It is the same for all
// spellings of the project. The path of a project is short enough for every key to fit. It fails for an invalid name.
func Folder(destination project.Branch) (string, error) {
	p := destination.Identity()
	if err := p.ValidateProject(); err != nil {
		return "", fmt.Errorf("LFS folder of %q: %w", p.Path(), err)
	}
	encoded, err := object.EncodeMembers(folderMembers{p.Group, p.Name})
	if err != nil {
		return "", fmt.Errorf("LFS folder of %q: %w", p.Path(), err)
	}
	return Root + encoded + "/", nil
}

// Key returns the key of segment n of an LFS object. It fails for an invalid name, OID or number.
func Key(destination project.Branch, oid string, n int) (string, error) {
	folder, err := Folder(destination)
	if err != nil {
		return "", err
	}
	if err := validateOID(oid); err != nil {
		return "", fmt.Errorf("LFS key: %w", err)
	}
	if n < 1 || n > maxSegments {
		return "", fmt.Errorf("LFS key: segment %d is not from 1 to %d", n, maxSegments)
	}
	return folder + oid + "/" + strconv.Itoa(n) + keySuffix, nil
}

// ParseKey returns the folder, OID and segment that Key made a key of. Every error is an object.ErrUndecodable.
func ParseKey(key string) (folder, oid string, n int, err error) {
	segment := strings.LastIndexByte(key, '/')
	above := strings.LastIndexByte(key[:max(0, segment)], '/')
	if above < 0 {
		return "", "", 0, undecodable(key, "not in a folder of a project")
	}
	folder, oid = key[:above+1], key[above+1:segment]
	group, name, err := ParseFolder(folder)
	if err != nil {
		return "", "", 0, err
	}
	n, _ = strconv.Atoi(strings.TrimSuffix(key[segment+1:], keySuffix))
	// There is one key for each segment: what counts twice for a reader would be found only once by its key.
	if again, err := Key(project.Branch{Group: group, Name: name}, oid, n); err != nil || again != key {
		return "", "", 0, undecodable(key, "not an OID and the number of a segment")
	}
	return folder, oid, n, nil
}

// ParseFolder returns the group and the name that Folder made a folder of. Every error is an object.ErrUndecodable.
func ParseFolder(folder string) (group, name string, err error) {
	encoded, isBelow := strings.CutPrefix(folder, Root)
	encoded, isFolder := strings.CutSuffix(encoded, "/")
	if !isBelow || !isFolder {
		return "", "", undecodable(folder, "not a folder below "+Root)
	}
	members, err := object.DecodeMembers(encoded)
	if err != nil {
		return "", "", undecodable(folder, err.Error())
	}
	group, name = members["group"], members["project_name"]
	if again, err := Folder(project.Branch{Group: group, Name: name}); err != nil || again != folder {
		return "", "", undecodable(folder, "not the folder of a project")
	}
	return group, name, nil
}

func undecodable(key, reason string) error {
	return fmt.Errorf("%w %s: %s", object.ErrUndecodable, foreign.Quote(key, 300), reason)
}
