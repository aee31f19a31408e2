package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// BindLFS binds the list of the LFS objects that the bundle needs, as List.Encode of package lfs returns it, to the
// manifest. Without any there is no list.
func (b *Bundle) BindLFS(list []byte) {
	b.LFSSize, b.LFSSHA256 = int64(len(list)), ""
	if b.HasLFS() {
		sum := sha256.Sum256(list)
		b.LFSSHA256 = hex.EncodeToString(sum[:])
	}
}

// HasLFS tells whether the bundle needs LFS objects.
func (b Bundle) HasLFS() bool { return b.LFSSize != 0 || b.LFSSHA256 != "" }

func (m Manifest) validateLFS() error {
	switch {
	case !m.HasLFS():
		return nil
	case m.LFSSize <= 0 || m.LFSSize > lfs.MaxListSize:
		return fmt.Errorf("lfs_size %d is not from 1 to %d", m.LFSSize, lfs.MaxListSize)
	case !sha256Pattern.MatchString(m.LFSSHA256):
		return fmt.Errorf("lfs_sha256 %q is not a SHA-256", m.LFSSHA256)
	}
	return nil
}

// LFS reads the list of the LFS objects that the bundle needs; most bundles need none. It fails with ErrMalformed, or
// the error of NewReader's r, and CopyBundle then does, too.
//
// It reads up to lfs.MaxListSize, and so comes after the signature has been verified.
func (a *Reader) LFS() (lfs.List, error) { return a.lfs() }

func (a *Reader) readLFS() (lfs.List, error) {
	if _, err := a.Refs(); err != nil || !a.Manifest.HasLFS() {
		return nil, err
	}
	text, err := a.readSized(a.Manifest.LFSSize)
	var list lfs.List
	if err == nil {
		list, err = a.Manifest.parseLFS(text)
	}
	if err == nil {
		err = a.checkNext()
	}
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", a.classify(err))
	}
	return list, nil
}

// parseLFS returns the list of the member with this text, which is nil where there is none.
func (m Manifest) parseLFS(text []byte) (lfs.List, error) {
	if !m.HasLFS() {
		if text != nil {
			return nil, errors.New("a list of LFS objects that the manifest does not have")
		}
		return nil, nil
	}
	var got Bundle
	got.BindLFS(text)
	if got.LFSSize != m.LFSSize || got.LFSSHA256 != m.LFSSHA256 {
		return nil, malformed("%s is of %d bytes and SHA-256 %s, the manifest says %d and %s", lfsName, got.LFSSize, got.LFSSHA256, m.LFSSize, m.LFSSHA256)
	}
	list, err := lfs.ParseList(text)
	if err != nil {
		return nil, malformed("%s: %w", lfsName, err)
	}
	return list, nil
}
