// Package refset holds the states of a set of refs: which of them there are, what each points to, the one name that a
// state has in keys and chains, and the differences between two of them.
//
// Refs go by the part of their name that the set's pattern leaves open, since that is what source and destination have
// in common: "v1" of refs/tags/v1 in refs/tags/*. Whether a part makes a valid name is for package project to say.
package refset

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// MaxRefs bounds the refs of a set. A request for an object of each still fits into the 10 MiB that git-http-backend(1)
	// takes (http.maxRequestBuffer).
	MaxRefs = 200_000

	// maxPartLength bounds a part in bytes, as package project bounds a name.
	maxPartLength = 250
)

var (
	// ErrMalformed says that a text is not a list of refs or a difference between two, as Encode writes them, or that
	// a difference is not one from this list.
	ErrMalformed = errors.New("malformed list of refs")

	// ErrTooMany says that a set has more than MaxRefs refs.
	ErrTooMany = fmt.Errorf("more than %d refs", MaxRefs)
)

// Ref is one ref of a set.
type Ref struct {
	Part   string // what the pattern's * stands for, such as "v1"
	Object string // the full SHA-1 in lower-case hexadecimal
	Peeled string // of an annotated tag, the object that it is a tag of; else, or if nobody has said it, ""
}

// List is a state: all refs of a set, in the byte order of their parts, each part once. It has at most MaxRefs.
type List []Ref

// New sorts refs, which it takes over, into a list. It fails for an object that is not a full SHA-1, a part that no
// ref can have, two refs with the same part, and with ErrTooMany.
func New(refs []Ref) (List, error) {
	if len(refs) > MaxRefs {
		return nil, ErrTooMany
	}
	slices.SortFunc(refs, compareParts)
	if err := validate(refs, false); err != nil {
		return nil, fmt.Errorf("list of refs: %w", err)
	}
	return refs, nil
}

// StateID is the name of the state: the SHA-1 of a line "<object> <part>" for each ref, in lower-case hexadecimal. It
// is "", which is no valid commit of a key, for an empty list: that is no state to bring anywhere.
//
// What tags peel to is left out, because their objects say it, and because not every look at a repository asks for it.
func (l List) StateID() string {
	if len(l) == 0 {
		return ""
	}
	hash := sha1.New()
	for _, ref := range l {
		writeLine(hash, ref)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Encode returns a line "<object> <part>" for each ref, which goes on with " <peeled>" for an annotated tag.
func (l List) Encode() []byte { return encode(l) }

// Parse reads what List.Encode writes, and nothing else. It fails with ErrMalformed.
func Parse(text []byte) (List, error) { return parse(text, MaxRefs, false) }

// Find returns the ref with this part.
func (l List) Find(part string) (Ref, bool) {
	i, found := slices.BinarySearchFunc(l, Ref{Part: part}, compareParts)
	if !found {
		return Ref{}, false
	}
	return l[i], true
}

func compareParts(a, b Ref) int { return strings.Compare(a.Part, b.Part) }

// validate checks what is the same of lists and differences; only these can delete.
func validate(refs []Ref, canDelete bool) error {
	last := ""
	for _, ref := range refs {
		if err := ref.validate(canDelete); err != nil {
			return err
		}
		switch {
		case ref.Part == last:
			return fmt.Errorf("%s is there twice", foreign.Quote(ref.Part, 80))
		case ref.Part < last:
			return fmt.Errorf("%s is not in order", foreign.Quote(ref.Part, 80))
		}
		last = ref.Part
	}
	return nil
}

func (r Ref) validate(canDelete bool) error {
	deletes := canDelete && r.Object == deleted
	switch {
	case !project.ValidCommit(r.Object) && !deletes:
		return fmt.Errorf("object %s is not a full SHA-1", foreign.Quote(r.Object, 50))
	case !validPart(r.Part):
		return fmt.Errorf("%s is not part of a ref's name", foreign.Quote(r.Part, 80))
	case r.Peeled != "" && (deletes || !project.ValidCommit(r.Peeled)):
		return fmt.Errorf("%s peels to %s, which is not a full SHA-1", foreign.Quote(r.Part, 80), foreign.Quote(r.Peeled, 50))
	}
	return nil
}

// validPart refuses what would make two states have the same lines.
func validPart(part string) bool {
	return part != "" && len(part) <= maxPartLength && !strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
