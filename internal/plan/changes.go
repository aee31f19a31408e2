package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

const (
	// maxNamedChanges is how many refs of one set a plan names that Temporal keeps.
	maxNamedChanges = 20
	// maxChangesSize bounds the lines about all sets of such a plan, in bytes of JSON. They are sent twice: in words, and as data.
	maxChangesSize = 128 << 10
)

// Effect is what a move does to a ref of a set. Those that a person wants to know first come first.
type Effect int

// What may become of a ref.
const (
	RefRefused Effect = iota // it is to change, and cannot
	RefKept                  // it has gone from the source, and stays
	RefDeleted
	RefMoved
	RefCreated
	RefUploaded // it is part of what is uploaded, and may be as it was
)

var effects = [...]struct{ does, count string }{
	RefRefused:  {"refuse", "%d refused"},
	RefKept:     {"keep", "%d to keep"},
	RefDeleted:  {"delete", "%d to delete"},
	RefMoved:    {"move", "%d to move"},
	RefCreated:  {"create", "%d to create"},
	RefUploaded: {"upload", "%d to upload"},
}

// RefChanges is what a move would do to the refs of a set. Note is what else is to be known of them; it may be empty.
type RefChanges struct {
	Changes []RefChange
	Note    string
}

// RefChange is what a move would do to one ref of a set.
type RefChange struct {
	Effect Effect
	Ref    string // by its full name
	// Old and New are the objects before and after; empty where there is none.
	Old, New string
	Why      string // may be empty
}

func (c RefChange) String() string {
	text := effects[c.Effect].does + " " + foreign.Line(c.Ref, maxNameLength)
	switch {
	case c.Old != "" && c.New != "" && c.Old != c.New:
		text += fmt.Sprintf(" from %s to %s", Short(c.Old), Short(c.New))
	case c.New != "":
		text += " at " + Short(c.New)
	case c.Old != "":
		text += ", at " + Short(c.Old)
	}
	if c.Why != "" {
		text += ": " + foreign.Line(c.Why, maxNameLength)
	}
	return text
}

// AddNote adds to what else is to be known.
func (r *RefChanges) AddNote(text string) { r.Note = strings.TrimPrefix(r.Note+"; "+text, "; ") }

// Describe returns for people how many refs would change in which way, and a line for each of them: for the first 20,
// unless all are wanted. It sorts the changes.
func (r RefChanges) Describe(all bool) []string {
	slices.SortFunc(r.Changes, func(a, b RefChange) int { return cmp.Or(cmp.Compare(a.Effect, b.Effect), cmp.Compare(a.Ref, b.Ref)) })
	lines := []string{r.count()}
	named := len(r.Changes)
	if !all {
		named = min(named, maxNamedChanges)
	}
	for _, c := range r.Changes[:named] {
		lines = append(lines, c.String())
	}
	if more := len(r.Changes) - named; more > 0 {
		lines = append(lines, fmt.Sprintf("... and %d more", more))
	}
	return lines
}

// count is the first line.
func (r RefChanges) count() string {
	var count [len(effects)]int
	for _, c := range r.Changes {
		count[c.Effect]++
	}
	var words []string
	for effect, n := range slices.Backward(count[:]) {
		if n > 0 {
			words = append(words, fmt.Sprintf(effects[effect].count, n))
		}
	}
	line := "refs: " + cmp.Or(strings.Join(words, ", "), "none would change")
	if r.Note != "" {
		line += "; " + foreign.Line(r.Note, maxNameLength)
	}
	return line
}

// AddChanges notes what a move would do to the refs of its set. Of a plan that Temporal keeps, what is over the page's
// limit is left out, and a line says so.
func (p *Page[M]) AddChanges(destination string, lines []string) {
	if p.Changes == nil {
		p.Changes = map[string][]string{}
	}
	for i, line := range lines {
		size := jsonSize(line) + 1
		if !p.request.AllChanges && p.changesSize+size > maxChangesSize {
			lines = append(lines[:i:i], "... no room for more")
			break
		}
		p.changesSize += size
	}
	p.Changes[destination] = lines
}
