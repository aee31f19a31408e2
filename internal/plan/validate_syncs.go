package plan

import (
	"fmt"
	"iter"
	"maps"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxNameLength is how many characters of an invalid name are shown.
const maxNameLength = 600

// ValidateSyncs separates the syncs that can be worked on from the failures of the others. Two syncs with one
// destination, however it is spelled, would overwrite each other in turn, so both are refused. So are two that have some
// ref of the destination in common.
func ValidateSyncs(syncs []project.Sync) (accepted []project.Sync, refused []Failure) {
	sameDestination := map[project.Branch]int{}
	valid := map[project.Branch]project.Sync{} // by destination
	for _, s := range syncs {
		to := s.Destination.Identity()
		sameDestination[to]++
		if s.Validate() == nil {
			valid[to] = s
		}
	}
	overlaps := project.NewOverlapIndex(maps.Keys(valid))
	for _, s := range syncs {
		if err := s.Validate(); err != nil {
			refused = append(refused, Failure{Subject: foreign.Line(s.Destination.String(), maxNameLength), Kind: KindInvalidSync, Reason: foreign.Line(err.Error(), maxNameLength)})
			continue
		}
		if n := sameDestination[s.Destination.Identity()]; n > 1 {
			reason := fmt.Sprintf("%d syncs have this destination (case does not count in group and project); this one has the source %s: keep one of them", n, s.Source)
			refused = append(refused, Failure{Subject: s.Destination.String(), Kind: KindDuplicateDestination, Reason: reason})
			continue
		}
		if other, ok := firstOf(overlaps.Overlapping(s.Destination)); ok {
			reason := fmt.Sprintf("the sync %s has refs of its destination in common with the sync %s, and each would overwrite the other's: keep one of them, or name less in one", s, valid[other])
			refused = append(refused, Failure{Subject: s.Destination.String(), Kind: KindDuplicateDestination, Reason: reason})
			continue
		}
		if err := checkKeyLength(s.Destination); err != nil {
			refused = append(refused, Failure{Subject: s.Destination.String(), Kind: KindKeyTooLong, Reason: err.Error()})
			continue
		}
		accepted = append(accepted, s)
	}
	return accepted, refused
}

func firstOf[T any](all iter.Seq[T]) (first T, ok bool) {
	for first := range all {
		return first, true
	}
	return first, false
}

// ValidateSyncs also refuses what the predecessor's consumer does not take, where it is written for.
func (p UploadPlanner) ValidateSyncs() (accepted []project.Sync, refused []Failure) {
	accepted, refused = ValidateSyncs(p.Syncs)
	if !p.WritePredecessor {
		return accepted, refused
	}
	candidates := accepted
	accepted = nil
	for _, s := range candidates {
		_, keyProblem := object.ID{Destination: s.Destination, Commit: anyCommit}.PredecessorKey()
		switch nameProblem := project.ValidatePredecessorBranch(s.Destination.Branch); {
		case nameProblem != nil:
			refused = append(refused, Failure{Subject: s.Destination.String(), Kind: KindPredecessorBranch, Reason: nameProblem.Error()})
		case keyProblem != nil:
			refused = append(refused, Failure{Subject: s.Destination.String(), Kind: KindKeyTooLong, Reason: keyProblem.Error()})
		default:
			accepted = append(accepted, s)
		}
	}
	return accepted, refused
}

var anyCommit = strings.Repeat("1", 40)

// checkKeyLength tells before any work is done whether the keys of the destination's objects would be too long.
func checkKeyLength(destination project.Branch) error {
	_, err := object.ID{Destination: destination, Commit: anyCommit, Base: anyCommit}.Key()
	return err
}
