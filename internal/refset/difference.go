package refset

import (
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// deleted is the object of a ref that a difference deletes, as in the Git protocol.
var deleted = strings.Repeat("0", 40)

// Difference leads from one list to another: the refs that are new or have moved, with their new objects, and those
// that are gone, with an object of 40 zeros. It is ordered as a list.
type Difference []Ref

// IsDeletion tells whether a ref of a difference is one that is gone.
func (r Ref) IsDeletion() bool { return r.Object == deleted }

// Diff returns what leads from base to next. It goes by the refs' objects, which say what tags peel to.
func Diff(base, next List) Difference {
	var d Difference
	for len(base) > 0 || len(next) > 0 {
		switch {
		case len(next) == 0 || len(base) > 0 && base[0].Part < next[0].Part:
			d, base = append(d, Ref{Part: base[0].Part, Object: deleted}), base[1:]
		case len(base) == 0 || next[0].Part < base[0].Part:
			d, next = append(d, next[0]), next[1:]
		default:
			if base[0].Object != next[0].Object {
				d = append(d, next[0])
			}
			base, next = base[1:], next[1:]
		}
	}
	return d
}

// Apply returns the list to which d leads from l. It fails with ErrMalformed if d deletes a ref that l does not have, or
// sets one to the object that it has, since d is not from l then; and with ErrTooMany.
func (l List) Apply(d Difference) (List, error) {
	next := make(List, 0, len(l)+len(d))
	for len(l) > 0 || len(d) > 0 {
		if len(d) == 0 || len(l) > 0 && l[0].Part < d[0].Part {
			next, l = append(next, l[0]), l[1:]
			continue
		}
		isThere := len(l) > 0 && l[0].Part == d[0].Part
		switch {
		case d[0].IsDeletion() && !isThere:
			return nil, fmt.Errorf("%w: deletes %s, which is not there", ErrMalformed, foreign.Quote(d[0].Part, 80))
		case isThere && l[0].Object == d[0].Object:
			return nil, fmt.Errorf("%w: sets %s to what it is", ErrMalformed, foreign.Quote(d[0].Part, 80))
		case !d[0].IsDeletion():
			next = append(next, d[0])
		}
		if isThere {
			l = l[1:]
		}
		d = d[1:]
	}
	if len(next) > MaxRefs {
		return nil, ErrTooMany
	}
	return next, nil
}

// Encode returns the lines that List.Encode would, those of deleted refs included.
func (d Difference) Encode() []byte { return encode(d) }

// ParseDifference reads what Difference.Encode writes, and nothing else. It fails with ErrMalformed.
func ParseDifference(text []byte) (Difference, error) { return parse(text, 2*MaxRefs, true) }
