package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// rank is the place of its state in stateWords.
func (b syncStatus) rank() int {
	return slices.IndexFunc(stateWords, func(s stateWord) bool { return s.state == b.State })
}

// since says since when a sync is behind, or has its newest object.
func (p statusPrinter) since(b syncStatus) string {
	text := age(b.Since, p.now)
	if b.AtLeast && text != "" {
		return "over " + text
	}
	return text
}

// isAt is what this side has.
func (b syncStatus) isAt() string {
	switch {
	case b.Side:
		return ""
	case b.Is != "":
		return plan.Short(b.Is)
	case b.Unread:
		return "?"
	}
	return "nothing"
}

// sourceIsAt is where the source is, or was when it was seen last.
func (b syncStatus) sourceIsAt() string {
	if b.Side {
		return ""
	}
	return cmp.Or(plan.Short(b.Ends.Source), "?")
}

func size(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return humanize.Bytes(uint64(bytes))
}

// alike is the same for syncs of which the same is to be said; empty for those of which something is to be said that is only theirs.
func (b syncStatus) alike() string {
	s := b.Source
	if b.Side || b.State != fleet.Failing || !b.AtWorkSince.IsZero() || s != nil && s.Failure != "" {
		return ""
	}
	if b.Kind == "" {
		return "before " + b.LastErrorKind + " " + b.withoutOwn(b.LastError)
	}
	if b.hasPast() {
		return ""
	}
	return b.Kind + " " + b.withoutOwn(b.Reason)
}

func (b syncStatus) withoutOwn(reason string) string {
	return withoutOwn(plan.Failure{Subject: b.Destination, Reason: reason})
}

// hasPast tells whether the last run has failed with something else than what the plan tells of.
func (b syncStatus) hasPast() bool {
	return b.LastError != "" && (b.Kind != b.LastErrorKind || !strings.HasPrefix(b.Reason, b.LastError))
}

// lines say of syncs that are alike why they are not in sync, and what else is to be known: now, at the producer, and before.
func (p statusPrinter) lines(alike []syncStatus) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	b, these := alike[len(alike)-1], ""
	if len(alike) > 1 {
		these = fmt.Sprintf(", these %d", len(alike))
		b.Reason, b.LastError = b.withoutOwn(b.Reason), b.withoutOwn(b.LastError)
		if b.Kind == "" {
			b.Reason = "" // it says where each is, as the columns do
		}
	}
	s := b.Source
	switch {
	case b.Kind != "":
		add("%s%s: %s", b.Kind, these, b.Reason)
	case b.Reason != "":
		add("%s", b.Reason)
	case b.State == fleet.Behind && s != nil && !s.BehindSince.IsZero():
		add("the bucket has nothing newer yet")
	}
	if b.Pause != nil {
		add("%s", pauseWords(*b.Pause, p.now))
	}
	if !b.AtWorkSince.IsZero() {
		add("at work for %s", age(b.AtWorkSince, p.now))
	}
	if s != nil && s.State == "" {
		add("the producer has never seen its source")
	}
	if s != nil && s.Failure != "" {
		add("producer: %s for %s", s.Failure, age(s.FailingSince, p.now))
	}
	if b.hasPast() {
		add("before, %s%s: %s (%s)", ago(b.LastErrorAt, p.now), these, b.LastError, b.LastErrorKind)
	}
	return lines
}
