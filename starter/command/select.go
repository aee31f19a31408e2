package command

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// selection is which syncs a command is about: all if it is empty.
type selection struct {
	names []selectedName
}

// selectedName is the name of a sync, or a pattern in which "*" stands for anything and "?" for one character. The name of a set of
// refs has a "*", too: it is that set, and whatever it matches.
type selectedName struct {
	text     string
	identity string         // of the sync that it names; empty if it is none's
	pattern  *regexp.Regexp // nil if it is none
}

func newSelection(names []string) (s selection) {
	for _, name := range names {
		selected := selectedName{text: name}
		if b, err := project.ParseBranch(name); err == nil {
			selected.identity = b.Identity().String()
		}
		if strings.ContainsAny(name, "*?") {
			quoted := regexp.QuoteMeta(name)
			quoted = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(quoted)
			path, branch, _ := strings.Cut(quoted, "@")
			text := "(?i:" + path + ")" // projects are found whatever the case
			if branch != "" {
				text += "@" + branch
			}
			selected.pattern, _ = regexp.Compile("^" + text + "$") // all in it is quoted
		}
		s.names = append(s.names, selected)
	}
	return s
}

func (n selectedName) matches(destination string) bool {
	return destinationIdentity(destination) == n.identity || n.pattern != nil && n.pattern.MatchString(destination)
}

func (s selection) has(destination string) bool {
	return len(s.names) == 0 || slices.ContainsFunc(s.names, func(n selectedName) bool { return n.matches(destination) })
}

// exact tells whether each is the name of one sync, so that a plan need not look at others.
func (s selection) exact() bool {
	return len(s.names) > 0 && !slices.ContainsFunc(s.names, func(n selectedName) bool { return n.identity == "" || n.pattern != nil })
}

// chunks are the destinations to plan at a time; none at all stand for all.
func (s selection) chunks() iter.Seq[[]string] {
	if !s.exact() {
		return slices.Values([][]string{nil})
	}
	names := make([]string, len(s.names))
	for i, n := range s.names {
		names[i] = n.text
	}
	return slices.Chunk(names, contract.MaxOnly)
}

// selected leaves those that are selected, and what concerns the side. A name that is none's is a mistake.
func (s roleClient) selected(ctx context.Context, want selection, all []syncStatus) ([]syncStatus, error) {
	var known []syncStatus
	for _, b := range all {
		if b.Kind != plan.KindNotConfigured {
			known = append(known, b)
		}
	}
	for _, name := range want.names {
		if !slices.ContainsFunc(known, func(b syncStatus) bool { return name.matches(b.Destination) }) {
			return nil, s.unknownName(ctx, want, name, known)
		}
	}
	return slices.DeleteFunc(known, func(b syncStatus) bool { return !b.Side && !want.has(b.Destination) }), nil
}

// unknownName is the error for a name that no sync has.
func (s roleClient) unknownName(ctx context.Context, want selection, name selectedName, all []syncStatus) error {
	if want.exact() { // only those were planned
		report, err := s.planFor(ctx, selection{})
		if err != nil {
			return err
		}
		all = s.syncsIn(report)
	}
	if name.pattern != nil {
		return usagef("no sync matches %q (the command status lists all)", name.text)
	}
	meant := nearest(name.text, all)
	question := didYouMean(name.text, meant, func(n string) string { return n })
	if isPartOf(name.text, meant) {
		question = fmt.Sprintf("; did you mean %q?", meant)
	}
	return usagef("there is no sync %q%s (the command status lists all)", name.text, question)
}

func isPartOf(name, destination string) bool {
	return strings.Contains(strings.ToLower(destination), strings.ToLower(name))
}

// nearest is the destination that a name was meant to be, perhaps.
func nearest(name string, all []syncStatus) string {
	var commands []*cli.Command // whose names the library compares
	for _, b := range all {
		if b.Side {
			continue
		}
		if isPartOf(name, b.Destination) {
			return b.Destination
		}
		commands = append(commands, &cli.Command{Name: b.Destination})
	}
	return cli.SuggestCommand(commands, name)
}
