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

// RefusedError is the server's decision not to update the ref.
type RefusedError struct {
	Ref      string
	Reason   string
	Messages []string // the first and last lines that the server meant for the user
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("server refused %q: %s", e.Ref, e.Reason)
	if len(e.Messages) > 0 {
		text += ": " + strings.Join(e.Messages, "; ")
	}
	return text
}

// Unwrap returns the kind of the refusal, or nil when it is a rule of the server's.
func (e *RefusedError) Unwrap() error {
	for _, r := range refusalPatterns {
		if r.within.matches(e) && (r.words.MatchString(e.Reason) || r.words.MatchString(strings.Join(e.Messages, "\n"))) {
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

// ByHook tells that one of the server's hooks refused the push.
func (e *RefusedError) ByHook() bool { return inHook.matches(e) }

// phase is the part of a push in which it was refused. A pattern applies to one phase only.
type phase string

const (
	anywhere phase = ""
	inUnpack phase = unpackFailed
	inHook   phase = "hook declined"
)

func (p phase) matches(e *RefusedError) bool { return strings.Contains(e.Reason, string(p)) }

// gitMessagePrefix is the beginning of git's error messages.
var gitMessagePrefix = regexp.MustCompile(`(?m)^(fatal|error): `)

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
	{ErrMissingLFS, inHook, regexp.MustCompile(`LFS objects are missing|unknown Git LFS objects`)},
	{ErrMissingObjects, anywhere, regexp.MustCompile(`^not updated: missing necessary objects`)},
	{ErrMissingObjects, inUnpack, regexp.MustCompile(`unresolved deltas?\b|did not receive expected object|object of unexpected type|` +
		`failed to read delta(-pack)? base object|Cannot find object '|Not all child objects of|Error on reachable objects of|` +
		`(?i:could not|unable to) read (tree )?[0-9a-f]{40}|bad (tree )?object [0-9a-f]{40}|missing (blob|tree) object`)},
	{ErrUnpack, inUnpack, regexp.MustCompile(``)},
}
