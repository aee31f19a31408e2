package command

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// failureGroup is what fails alike: with the same words but for what is only each sync's own.
type failureGroup struct {
	kind, text string // the text with "..." for what differs
	failures   []plan.Failure
}

// groupFailures puts failures together that say the same, in the order in which each is said first.
func groupFailures(failures []plan.Failure) (groups []*failureGroup) {
	known := map[[2]string]*failureGroup{}
	for _, f := range failures {
		key := [2]string{f.Kind, withoutOwn(f)}
		group := known[key]
		if group == nil {
			group = &failureGroup{kind: f.Kind, text: f.Reason}
			known[key] = group
			groups = append(groups, group)
		}
		if f.Reason != group.text {
			group.text = key[1]
		}
		group.failures = append(group.failures, f)
	}
	return groups
}

// String says what a group fails with. A failure that is alone is said with its own names.
func (g *failureGroup) String() string {
	if len(g.failures) == 1 {
		return g.failures[0].String()
	}
	return fmt.Sprintf("%s, %d syncs: %s", g.kind, len(g.failures), g.text)
}

// subjects are those that fail so, as lines that may be printed below the text; none for one that is alone.
func (g *failureGroup) subjects() (lines []string) {
	if len(g.failures) == 1 {
		return nil
	}
	for _, f := range g.failures {
		lines = append(lines, f.Subject)
	}
	slices.Sort(lines)
	return lines
}

// ownParts are what a server says of one request, and when a sync was tried (plan.Refusal).
var ownParts = []struct {
	pattern *regexp.Regexp
	alike   string
}{
	{regexp.MustCompile(`\bTried .* since \S+; the first cycle after \S+ tries`), "Tried before; one of the next cycles tries"},
	{regexp.MustCompile(`\b(request (?i:id)|retry after) [^\s)]+`), "$1 ..."},
}

// withoutOwn is a failure's reason without what is only the sync's: its destination's name, its source's, which reasons of a
// producer begin with, and ownParts.
func withoutOwn(f plan.Failure) string {
	names := []string{f.Subject}
	if rest, isSource := strings.CutPrefix(f.Reason, "source "); isSource {
		source, _, _ := strings.Cut(rest, ": ")
		names = append(names, source)
	}
	for _, name := range slices.Clone(names) {
		if b, err := project.ParseBranch(name); err == nil {
			names = append(names, b.Path(), b.Branch)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	text := f.Reason
	for _, name := range names {
		text = replaceWord(text, name)
	}
	for _, own := range ownParts {
		text = own.pattern.ReplaceAllString(text, own.alike)
	}
	return text
}

// replaceWord replaces a name by "..." where it is not a part of a longer one.
func replaceWord(text, name string) string {
	if name == "" {
		return text
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, name)
		out.WriteString(before)
		switch {
		case !found:
			return out.String()
		case endsInName(before) || beginsWithName(after):
			out.WriteString(name)
		default:
			out.WriteString("...")
		}
		text = after
	}
}

func endsInName(s string) bool { return s != "" && isNamePart(s[len(s)-1]) }

func beginsWithName(s string) bool { return s != "" && isNamePart(s[0]) }

func isNamePart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= 0x80
}

// printFailures prints failures, each text once, and how many more there are.
func printFailures(w io.Writer, failures []plan.Failure, more int) {
	for _, group := range groupFailures(failures) {
		printForeign(w, "failed", group.String())
		for _, subject := range group.subjects() {
			printForeign(w, "         ", subject)
		}
	}
	if more > 0 {
		printForeign(w, "failed", fmt.Sprintf("... and %d more", more))
	}
}
