package activities

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// ownRefs is where the consumer keeps refs of its own in a destination repository:
//
//	incoming/<branch>/tip              commits that came ahead of the branch
//	applied/<branch>/at-<nanoseconds>  when the manifest was made that was applied last
//	applied/<branch>/object-<seconds>  when the bucket got the newest object that was looked at
const ownRefs = "refs/git-partition-sync"

func incomingRef(b project.Branch) string { return ownRefs + "/incoming/" + b.Branch + "/tip" }

func appliedPrefix(b project.Branch) string { return ownRefs + "/applied/" + b.Branch + "/" }

// objectRef says that the object which the bucket got at that time has been looked at.
func objectRef(b project.Branch, modified time.Time) string {
	return appliedPrefix(b) + "object-" + strconv.FormatInt(modified.Unix(), 10)
}

// maxUnwanted bounds how many unwanted refs are kept in memory, and deleted in one push.
const maxUnwanted = 2000

// destinationState is what a destination's refs say of one branch.
type destinationState struct {
	tip      string // "" when the branch does not exist
	incoming string // likewise
	memory   memory
	// unwanted are refs in our folders that are not ours, that block ours, or that later ones have replaced. There may be more.
	unwanted map[string]string
}

// state reads the refs of a branch, in one request.
func (c *Consumer) state(ctx context.Context, b project.Branch) (destinationState, error) {
	s := destinationState{unwanted: map[string]string{}, memory: memory{prefix: appliedPrefix(b), keep: c.Verifier.Verifies()}}
	latest := c.now().Add(maxAhead)
	err := c.Destination.EachRef(ctx, b.Path(), []string{b.Ref()}, ownRefs, func(ref, commit string) {
		switch {
		case ref == b.Ref():
			s.tip = commit
		case ref == incomingRef(b):
			s.incoming = commit
		case s.memory.keep && s.memory.take(ref, commit, latest, s.unwant):
		case path.Dir(ref) == path.Dir(incomingRef(b)), blocks(ref, incomingRef(b)), s.memory.keep && blocks(ref, appliedPrefix(b)+"at-0"):
			s.unwant(ref, commit)
		}
	})
	if err != nil {
		return s, fmt.Errorf("destination %s: %w", b, err)
	}
	return s, nil
}

func (s *destinationState) unwant(ref, commit string) {
	if len(s.unwanted) < maxUnwanted {
		s.unwanted[ref] = commit
	}
}

// blocks tells whether a ref is where ours needs a folder, or has one where ours is a file. Git takes none at ownRefs
// itself, which is too short a name.
func blocks(ref, ours string) bool {
	if strings.HasPrefix(ref, ours+"/") {
		return true
	}
	for folder := path.Dir(ours); folder != ownRefs; folder = path.Dir(folder) {
		if ref == folder {
			return true
		}
	}
	return false
}
