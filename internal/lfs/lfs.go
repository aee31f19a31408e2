// Package lfs knows Git LFS as far as Git and the bucket show it: the pointers that stand in Git for large files, the
// lists of what an object of the bucket needs, and the keys under which the files themselves are in the bucket.
//
// An LFS object is the content of a large file. Its OID is the SHA-256 of the content. A pointer is the small blob in
// Git that names it. https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md has their format.
package lfs

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// MaxSize bounds an LFS object in bytes: 1 PiB. No file is of that size, and a pointer can name any. Sums of a few sizes
// do not overflow.
const MaxSize = 1 << 50

var (
	// ErrTooMany says that there are more LFS objects than a list can hold.
	ErrTooMany = errors.New("too many LFS objects")

	// ErrMalformed says that a text is not an encoded list.
	ErrMalformed = errors.New("malformed list of LFS objects")
)

// Object is what a pointer says of an LFS object.
type Object struct {
	OID  string `json:"oid"`  // lower-case hexadecimal
	Size int64  `json:"size"` // bytes
}

var oidPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Validate returns what is wrong with the OID or the size.
func (o Object) Validate() error {
	if err := validateOID(o.OID); err != nil {
		return err
	}
	if o.Size < 0 || o.Size > MaxSize {
		return fmt.Errorf("size %d is not from 0 to %d", o.Size, int64(MaxSize))
	}
	return nil
}

func validateOID(oid string) error {
	if !oidPattern.MatchString(oid) {
		return fmt.Errorf("OID %s is not a SHA-256 in lower-case hexadecimal", foreign.Quote(oid, 80))
	}
	return nil
}

func (o Object) compare(other Object) int {
	return cmp.Or(strings.Compare(o.OID, other.OID), cmp.Compare(o.Size, other.Size))
}

// TotalSize is the sum of the sizes in bytes, or math.MaxInt64 if they are more than that.
func TotalSize(objects []Object) (total int64) {
	for _, o := range objects {
		if total > math.MaxInt64-o.Size {
			return math.MaxInt64
		}
		total += o.Size
	}
	return total
}
