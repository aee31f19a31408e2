package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/refset"
)

// MaxRefsSize bounds the member with the refs of a set in bytes. A snapshot's is never larger, since a ref has at most 333:
// two objects, 250 bytes of name, and what is between them.
const MaxRefsSize = 64 << 20

// BindRefs binds the refs of a set to the manifest: what List.Encode of package refset returns for a snapshot, and
// Difference.Encode for an increment.
func (b *Bundle) BindRefs(refs []byte) {
	sum := sha256.Sum256(refs)
	b.RefsSize, b.RefsSHA256 = int64(len(refs)), hex.EncodeToString(sum[:])
}

// State returns the state of a set to which an object leads from its base: the refs are those of Reader.Refs, and the
// base is nil for a snapshot. It fails with ErrMalformed if these are not the states of the manifest.
func (b Bundle) State(base refset.List, refs refset.Difference) (refset.List, error) {
	if id := base.StateID(); id != b.Base {
		return nil, malformed("%s: from state %q, not from %q", refsName, b.Base, id)
	}
	state, err := base.Apply(refs)
	if err != nil {
		return nil, malformed("%s: %w", refsName, err)
	}
	if id := state.StateID(); id != b.Commit {
		return nil, malformed("%s: leads to state %q, the manifest says %q", refsName, id, b.Commit)
	}
	return state, nil
}

// validateRefs refuses refs of a branch or tag, and a set without.
func (m Manifest) validateRefs() error {
	switch {
	case !m.Destination.IsSet() && (m.RefsSize != 0 || m.RefsSHA256 != ""):
		return fmt.Errorf("refs_size or refs_sha256 of a %s", m.Destination.Kind())
	case !m.Destination.IsSet():
		return nil
	case m.RefsSize < 0 || m.RefsSize > MaxRefsSize:
		return fmt.Errorf("refs_size %d is not from 0 to %d", m.RefsSize, MaxRefsSize)
	case !sha256Pattern.MatchString(m.RefsSHA256):
		return fmt.Errorf("refs_sha256 %q is not a SHA-256", m.RefsSHA256)
	}
	return nil
}

// Refs reads what becomes of the refs of a set: of a snapshot all that there are, as a difference from nothing, and of
// an increment the difference from its base. All of them are refs of the manifest's set. Of a branch or tag there are
// none. It fails with ErrMalformed, or the error of NewReader's r, and CopyBundle then does, too.
//
// It reads up to MaxRefsSize, and so comes after the signature has been verified.
func (a *Reader) Refs() (refset.Difference, error) { return a.refs() }

func (a *Reader) readRefs() (refs refset.Difference, err error) {
	if !a.Manifest.Destination.IsSet() {
		return nil, nil
	}
	text, err := a.readSized(a.Manifest.RefsSize)
	if err == nil {
		refs, err = a.Manifest.parseRefs(text)
	}
	if err == nil {
		err = a.checkNext()
	}
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", a.classify(err))
	}
	return refs, nil
}

// parseRefs returns the refs of the member with this text.
func (m Manifest) parseRefs(text []byte) (refset.Difference, error) {
	if !m.Destination.IsSet() {
		if text != nil {
			return nil, errors.New("refs of a " + m.Destination.Kind())
		}
		return nil, nil
	}
	var got Bundle
	got.BindRefs(text)
	if got.RefsSize != m.RefsSize || got.RefsSHA256 != m.RefsSHA256 {
		return nil, malformed("%s is of %d bytes and SHA-256 %s, the manifest says %d and %s", refsName, got.RefsSize, got.RefsSHA256, m.RefsSize, m.RefsSHA256)
	}
	refs, err := refset.ParseDifference(text)
	if err != nil {
		return nil, malformed("%s: %w", refsName, err)
	}
	for _, ref := range refs {
		name := m.Destination.RefFor(ref.Part)
		if _, ok := m.Destination.Match(name); !ok {
			return nil, malformed("%s: %s is no ref of the set %q", refsName, foreign.Quote(name, 100), m.Destination.Branch)
		}
	}
	return refs, nil
}
