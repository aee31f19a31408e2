package smarthttp

import (
	"cmp"
	"fmt"
)

// nullHash stands for "no commit" in the protocol.
const nullHash = "0000000000000000000000000000000000000000"

// RefUpdate moves one ref, given by its full name.
type RefUpdate struct {
	Ref string
	Old string // the object that it points to; empty if it does not exist
	New string // empty deletes it
}

// maxRefName bounds names in bytes: with objects and capabilities, one fits into a packet.
const maxRefName = 60_000

func (u RefUpdate) check() error {
	for _, commit := range []string{u.Old, u.New} {
		if commit != "" && !isHash(commit) {
			return fmt.Errorf("invalid commit %q", commit)
		}
	}
	if u.Old == "" && u.New == "" {
		return fmt.Errorf("nothing to do for %q", u.Ref)
	}
	if !isSafeRefName(u.Ref) || len(u.Ref) > maxRefName {
		return fmt.Errorf("invalid ref %q", u.Ref)
	}
	return nil
}

func (u RefUpdate) command() string {
	return cmp.Or(u.Old, nullHash) + " " + cmp.Or(u.New, nullHash) + " " + u.Ref
}
