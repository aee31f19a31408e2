package activities

import (
	"strconv"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// The consumer's own refs in the repository of a set of refs, below sets/<pattern>/, where the pattern has + for its *:
//
//	at-<nanoseconds>           the replay guard, as a branch has it
//	object-<seconds>-<digest>  (see noteSettings for words before the digest) the upload time of the newest object that was looked at, and the state of the repository's
//	                           refs that match the pattern, as they were left then
//	state-<state>              all objects of this state have been sent
//
// All sets of a project share the shadows: put/heads/x and put/tags/v1 are what the consumer has put at these refs last.
const (
	setsFolder = ownRefs + "/sets/"
	putFolder  = ownRefs + "/put/"
)

// setFolder is the folder of the set's own refs, with a slash at its end.
func setFolder(set project.Branch) string {
	return setsFolder + strings.TrimSuffix(set.Branch, "*") + "+/"
}

// setNotePrefix is the beginning of the notes that the newest object, which has this upload time, has been looked at under
// these settings. The end is the state of the refs that match the set, whoever has made them, as they were left.
func setNotePrefix(set project.Branch, modified time.Time, settings noteSettings) string {
	prefix := setFolder(set) + "object-" + strconv.FormatInt(modified.Unix(), 10) + "-"
	if settings.unsigned {
		prefix += "unsigned-"
	}
	if settings.keeping {
		prefix += "keeping-"
	}
	return prefix
}

// noteSettings are the settings that a note is good for: under others, there may be something left to do. The zero value is
// what asks for most.
type noteSettings struct {
	unsigned bool // no signature was verified
	keeping  bool // nothing was to be deleted
}

// notedState returns the state in a note with the prefix; "" if the ref is none.
func notedState(ref, prefix string) string {
	digest, ok := strings.CutPrefix(ref, prefix)
	if !ok || !project.ValidCommit(digest) {
		return ""
	}
	return digest
}

// stateRef says that all objects of the state have been sent to the set's repository.
func stateRef(set project.Branch, state string) string { return setFolder(set) + "state-" + state }

// sentState returns the state of a state ref; "" if the ref is none of the set's.
func sentState(set project.Branch, ref string) string { return notedState(ref, stateRef(set, "")) }

// shadowOf is the ref that says what the consumer has put at a branch or tag, given by its full name.
func shadowOf(ref string) string { return putFolder + strings.TrimPrefix(ref, "refs/") }

// shadowed is the full name of the branch or tag that a shadow is of; false if the ref is no shadow.
func shadowed(ref string) (string, bool) {
	name, ok := strings.CutPrefix(ref, putFolder)
	return "refs/" + name, ok
}

// shadowPrefixes are the prefixes of the shadows of a set's refs.
func shadowPrefixes(set project.Branch) (prefixes []string) {
	for _, prefix := range set.RefPrefixes() {
		prefixes = append(prefixes, shadowOf(prefix))
	}
	return prefixes
}
