package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// maxMissingNames is how many LFS objects are named that are missing.
const maxMissingNames = 20

// MovedLFS is what has become of LFS objects that had to be moved, each of which is counted once.
type MovedLFS struct {
	Sent    int   `json:"sent,omitempty"`
	There   int   `json:"there,omitempty"`   // already, where they had to go
	Missing int   `json:"missing,omitempty"` // not to be had
	Size    int64 `json:"size,omitempty"`    // bytes of those that are there now, and that the source had
	// MissingNames are the OIDs of the first that are missing, each with the reason if it is not that the source has nothing.
	MissingNames []string `json:"missing_names,omitempty"`
}

func (l MovedLFS) needed() int { return l.Sent + l.There + l.Missing }

func (l *MovedLFS) miss(name string) {
	l.Missing++
	if len(l.MissingNames) < maxMissingNames {
		l.MissingNames = append(l.MissingNames, name)
	}
}

// countIn counts also what a step has done that fails in the end.
func (l *MovedLFS) countIn(ctx context.Context) {
	for result, n := range map[string]int{lfsSent: l.Sent, lfsThere: l.There, lfsMissing: l.Missing} {
		countLFS(ctx, result, n)
	}
}

// Summary says it in words.
func (l PushedLFS) Summary() string {
	if l.LeftOut > 0 {
		return CountNoun(l.LeftOut, "LFS object", "LFS objects") + " left out: LFS=false"
	}
	return l.MovedLFS.Summary()
}

// Summary says it in words.
func (l MovedLFS) Summary() string {
	words := []string{CountNoun(l.needed(), "LFS object", "LFS objects"), humanize.Bytes(uint64(l.Size))}
	switch l.There {
	case 0:
	case 1:
		words = append(words, "1 was there already")
	default:
		words = append(words, fmt.Sprintf("%d were there already", l.There))
	}
	if l.Missing > 0 {
		words = append(words, l.nameMissing(3))
	}
	return strings.Join(words, ", ")
}

// nameMissing names the first of those that are missing.
func (l MovedLFS) nameMissing(most int) string {
	names := l.MissingNames[:min(len(l.MissingNames), most)]
	if l.Missing > len(names) {
		names = append(slices.Clone(names), "…")
	}
	return fmt.Sprintf("%d missing at the source: %s", l.Missing, strings.Join(names, ", "))
}

// CountNoun returns "1 object", or "2 objects".
func CountNoun(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// whyLFSIsMissing says why a destination may lack LFS objects that it wants.
func (c *Consumer) whyLFSIsMissing(in PushInput) string {
	without := 0
	for _, b := range in.Bundles {
		if !b.HasLFS() {
			without++
		}
	}
	switch {
	case c.LFS == nil:
		return "LFS=false at this consumer: it sends the commits alone"
	case in.LFS != nil && in.LFS.Missing > 0:
		return in.LFS.nameMissing(maxMissingNames)
	case len(in.Bundles) == 0:
		return "those of the commits that were sent before are sent in the next run"
	case without == len(in.Bundles):
		return "the bucket's objects name no LFS objects: the producer has LFS=false, or a release that knows none, or its server no LFS"
	}
	return "all that the bucket's objects name are there; the destination wants others, such as of commits that it had before"
}
