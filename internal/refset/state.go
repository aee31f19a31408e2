package refset

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// State makes a StateID of refs that come one after the other, in a list's order, and keeps none of them. Its zero value
// is that of no refs.
type State struct {
	hash  hash.Hash
	last  string // part
	count int
}

// Add adds the next ref. It fails for what New refuses, and for a ref that does not follow the ones before. Then there
// is no state.
func (s *State) Add(ref Ref) error {
	if s.count == MaxRefs {
		return ErrTooMany
	}
	if err := ref.validate(false); err != nil {
		return fmt.Errorf("list of refs: %w", err)
	}
	if ref.Part <= s.last {
		return fmt.Errorf("list of refs: %s is not in order", foreign.Quote(ref.Part, 80))
	}
	if s.hash == nil {
		s.hash = sha1.New()
	}
	writeLine(s.hash, ref)
	s.last, s.count = ref.Part, s.count+1
	return nil
}

// ID is the StateID of a list of the refs that were added; "" if there were none.
func (s *State) ID() string {
	if s.hash == nil {
		return ""
	}
	return hex.EncodeToString(s.hash.Sum(nil))
}

func writeLine(hash io.Writer, ref Ref) {
	_, _ = io.WriteString(hash, ref.Object+" "+ref.Part+"\n") // a hash never fails
}
