package project

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrPredecessorBranch says that the predecessor's consumer cannot be told to push to a branch.
var ErrPredecessorBranch = errors.New("the predecessor's consumer does not take the branch's name")

// shellPlain of ASCII, besides letters and digits, mean nothing to a shell within a word.
const shellPlain = "/._-+=,@%"

// refFolders begin names that git takes for those of other refs, where it is not said that a branch is meant.
var refFolders = []string{"refs", "heads", "tags", "remotes"}

// ValidatePredecessorBranch refuses valid names of branches that the predecessor's consumer would do something else with: it puts them, without
// quotes, into a command for /bin/sh, git push --force fedramp NAME:NAME.
func ValidatePredecessorBranch(name string) error {
	first, _, hasFolder := strings.Cut(name, "/")
	switch i := strings.IndexFunc(name, shellActsOn); {
	case (Branch{Branch: name}).IsSet():
		return fmt.Errorf("%w: it takes single branches, and %q is a set of refs", ErrPredecessorBranch, name)
	case i >= 0:
		r, _ := utf8.DecodeRuneInString(name[i:])
		return fmt.Errorf("%w: a shell acts on %q in %q", ErrPredecessorBranch, r, name)
	case strings.HasPrefix(name, "+"):
		return fmt.Errorf("%w: git takes the '+' before %q for a sign", ErrPredecessorBranch, name)
	case hasFolder && slices.Contains(refFolders, first):
		return fmt.Errorf("%w: git takes %q for another ref than that branch", ErrPredecessorBranch, name)
	}
	return nil
}

func shellActsOn(r rune) bool {
	switch {
	case r > unicode.MaxASCII:
		return unicode.IsSpace(r)
	case unicode.IsLetter(r), unicode.IsDigit(r):
		return false
	}
	return !strings.ContainsRune(shellPlain, r)
}
