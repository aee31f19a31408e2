package lfs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// MaxListSize bounds an encoded list in bytes. It holds 900,000 objects and more.
const MaxListSize = 64 << 20

// missing ends the line of an object that the source does not have.
const missing = " missing"

// Entry is an LFS object in a List.
type Entry struct {
	Object
	// Missing says that the source has a pointer to the object, but not the object, or has another content in its place.
	Missing bool `json:"missing,omitempty"`
}

// List is what a snapshot or an increment needs: the LFS objects of all pointers in its pack, sorted by OID and then by
// size, each once. Two pointers may give one OID two sizes, of which one is wrong.
type List []Entry

// NewList returns the list of these objects, which may be in any order and there more than once.
func NewList(objects []Object) List {
	objects = slices.Clone(objects)
	slices.SortFunc(objects, Object.compare)
	objects = slices.Compact(objects)
	list := make(List, len(objects))
	for i, o := range objects {
		list[i].Object = o
	}
	return list
}

// Present returns the objects that the source has.
func (l List) Present() []Object {
	var present []Object
	for _, entry := range l {
		if !entry.Missing {
			present = append(present, entry.Object)
		}
	}
	return present
}

// Absent returns the objects that the source does not have.
func (l List) Absent() []Object {
	var absent []Object
	for _, entry := range l {
		if entry.Missing {
			absent = append(absent, entry.Object)
		}
	}
	return absent
}

// Encode returns a line for each entry, "<oid> <size>" or "<oid> <size> missing".
func (l List) Encode() []byte {
	var b bytes.Buffer
	for _, entry := range l {
		b.WriteString(entry.line())
	}
	return b.Bytes()
}

func (e Entry) line() string {
	line := e.OID + " " + strconv.FormatInt(e.Size, 10)
	if e.Missing {
		line += missing
	}
	return line + "\n"
}

// ParseList reads what Encode wrote, and nothing else. It fails with ErrTooMany if the text is longer than MaxListSize,
// and with ErrMalformed.
func ParseList(text []byte) (List, error) {
	if len(text) > MaxListSize {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrTooMany, len(text), MaxListSize)
	}
	list := make(List, 0, bytes.Count(text, []byte("\n")))
	for line := range strings.Lines(string(text)) {
		entry, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrMalformed, len(list)+1, err)
		}
		if n := len(list); n > 0 && list[n-1].compare(entry.Object) >= 0 {
			return nil, fmt.Errorf("%w: line %d is not sorted behind the one before", ErrMalformed, n+1)
		}
		list = append(list, entry)
	}
	return list, nil
}

func parseLine(line string) (entry Entry, err error) {
	fields, _ := strings.CutSuffix(line, "\n")
	fields, entry.Missing = strings.CutSuffix(fields, missing)
	oid, size, _ := strings.Cut(fields, " ")
	entry.OID = oid
	entry.Size, err = strconv.ParseInt(size, 10, 64)
	if err != nil || entry.line() != line {
		return Entry{}, fmt.Errorf("%s is none of a list", foreign.Quote(line, 100))
	}
	return entry, entry.Validate()
}
