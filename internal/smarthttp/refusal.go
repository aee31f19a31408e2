package smarthttp

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A *RefusedError may wrap one of these. If it wraps none, a rule of the server refused the push: a protected branch,
// a hook.
var (
	ErrNameConflict   = errors.New("another ref stands in the way of the name")
	ErrHiddenRef      = errors.New("the server hides or forbids the ref")
	ErrServerDiskFull = errors.New("the server's disk is full")
	ErrPackTooLarge   = errors.New("the pack or a file in it is larger than the server allows")
	ErrBadObjects     = errors.New("objects do not pass the server's check (fsck)")
	ErrMissingLFS     = errors.New("the server lacks LFS objects")
	ErrMissingObjects = errors.New("the server lacks objects that the pack builds on")
	// ErrUnpack says that the server could not unpack the pack, for a reason that it does not tell or that may pass.
	ErrUnpack = errors.New("the server could not unpack the pack")
)

// RefusedError is the server's decision not to update refs. In a transaction, none of the push's refs was updated then.
type RefusedError struct {
	Refused  []RefRefusal // at least one, in the order of the push's updates
	Messages []string     // the first and last lines that the server meant for the user
}

// RefRefusal says why the server did not update a ref.
type RefRefusal struct {
	Ref    string
	Reason string
	// ByOthers says that nothing is known against the ref itself: it was in a transaction with one that was refused. A
	// server that does not say which one that was refuses all refs for the same reason, and ByOthers is false.
	ByOthers bool
}

// First returns the first ref that was refused by itself.
func (e *RefusedError) First() RefRefusal {
	for _, refusal := range e.Refused {
		if !refusal.ByOthers {
			return refusal
		}
	}
	return e.Refused[0]
}

// Error names the ref of First.
func (e *RefusedError) Error() string {
	first := e.First()
	text := fmt.Sprintf("server refused %q: %s", first.Ref, first.Reason)
	if len(e.Messages) > 0 {
		text += ": " + strings.Join(e.Messages, "; ")
	}
	return text
}

// Unwrap returns the kind of the first refusal, or nil when it is a rule of the server's.
func (e *RefusedError) Unwrap() error {
	reason := e.First().Reason
	for _, r := range refusalPatterns {
		if r.within.matches(e) && (r.words.MatchString(reason) || r.words.MatchString(strings.Join(e.Messages, "\n"))) {
			return r.is
		}
	}
	return nil
}

// Unexplained tells that the server could not unpack the pack and did not say why in English. Git translates its
// messages to the server's locale, and a server may withhold them.
func (e *RefusedError) Unexplained() bool {
	return inUnpack.matches(e) && !gitMessagePrefix.MatchString(strings.Join(e.Messages, "\n"))
}

// ByHook tells that one of the server's hooks refused the first ref.
func (e *RefusedError) ByHook() bool { return inHook.matches(e) }

// phase is the part of a push in which it was refused. A pattern applies to one phase only.
type phase string

const (
	anywhere phase = ""
	inUnpack phase = unpackFailed
	inHook   phase = "hook declined"
	ofLFS    phase = "LFS objects" // a server may give the hook's words as the reason
)

func (p phase) matches(e *RefusedError) bool { return strings.Contains(e.First().Reason, string(p)) }

// gitMessagePrefix is the beginning of git's error messages.
var gitMessagePrefix = regexp.MustCompile(`(?m)^(fatal|error): `)

var missingLFS = regexp.MustCompile(`LFS objects are missing|unknown Git LFS objects`)

// refusalPatterns match the messages of receive-pack, index-pack and unpack-objects of Git 2.30 to 2.50, and of the
// hooks of GitLab and GitHub. More precise ones come first.
var refusalPatterns = []struct {
	is     error
	within phase
	words  *regexp.Regexp
}{
	{ErrHiddenRef, anywhere, regexp.MustCompile(`deny (updating|deleting) a hidden ref`)},
	{ErrNameConflict, anywhere, regexp.MustCompile(`' exists; cannot create '|directory '.*' blocking reference '|cannot process '.*' and '.*' at the same time|refname conflict`)},
	{ErrServerDiskFull, anywhere, regexp.MustCompile(`(?i)no space left on device|disk quota exceeded`)},
	{ErrPackTooLarge, anywhere, regexp.MustCompile(`exceeds maximum allowed size|exceed(s|ed)? .{1,60}\blimit\b`)},
	{ErrBadObjects, inUnpack, regexp.MustCompile(`fsck error in pack|object [0-9a-f]{40}: [a-z]\w+: `)},
	{ErrMissingLFS, inHook, missingLFS},
	{ErrMissingLFS, ofLFS, missingLFS},
	{ErrMissingObjects, anywhere, regexp.MustCompile(`^not updated: missing necessary objects`)},
	{ErrMissingObjects, inUnpack, regexp.MustCompile(`unresolved deltas?\b|did not receive expected object|object of unexpected type|` +
		`failed to read delta(-pack)? base object|Cannot find object '|Not all child objects of|Error on reachable objects of|` +
		`(?i:could not|unable to) read (tree )?[0-9a-f]{40}|bad (tree )?object [0-9a-f]{40}|missing (blob|tree) object`)},
	{ErrUnpack, inUnpack, regexp.MustCompile(``)},
}
