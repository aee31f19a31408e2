// Package archive writes and reads the plaintext of an object, a tar of exactly
//
//	manifest.json           what the bundle is, and for whom
//	manifest.json.minisig   signature over the bytes before it; optional
//	refs                    what becomes of which ref; of a set of refs only
//	lfs                     the LFS objects that the bundle needs; where there are any
//	repository.bundle       a Git bundle
//
// in this order, so that the manifest is checked before the rest is read, and an operator needs nothing but tar and
// git. Nothing is ever extracted by the names in an archive.
//
// The two blocks of zeros that end a tar are left out. They would be a quarter of what surrounds a small increment.
// The end of the archive is known, and authenticated, from the age file around it, and tar itself takes the end of
// its input for the end of the archive.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	manifestName  = "manifest.json"
	signatureName = manifestName + signatureSuffix
	refsName      = "refs"
	lfsName       = "lfs"
	bundleName    = "repository.bundle"
)

// Write writes an archive of an encoded manifest, the signature over it (nil for none), the refs of a set as they were
// given to BindRefs (nil for a branch or tag), the list of LFS objects as it was given to BindLFS (nil for none), and the
// bundle, which must have exactly the manifest's size. It refuses what Reader would refuse, but does not hash the bundle
// again.
func Write(w io.Writer, manifest, signature, refs, lfsList []byte, bundle io.Reader) error {
	m, err := ParseManifest(manifest)
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	if len(signature) > maxSignatureSize {
		return fmt.Errorf("write archive: signature: %d bytes, limit %d", len(signature), maxSignatureSize)
	}
	if _, err := m.parseRefs(refs); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	if _, err := m.parseLFS(lfsList); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	files := []smallFile{{manifestName, manifest}}
	if signature != nil {
		files = append(files, smallFile{signatureName, signature})
	}
	if m.Destination.IsSet() {
		files = append(files, smallFile{refsName, refs})
	}
	if m.HasLFS() {
		files = append(files, smallFile{lfsName, lfsList})
	}
	tw := tar.NewWriter(w)
	if err := writeMembers(tw, m, files, bundle); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	// Not Close: it would also write the two blocks of zeros.
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// smallFile is a member that is in memory.
type smallFile struct {
	name    string
	content []byte
}

func writeMembers(tw *tar.Writer, m Manifest, files []smallFile, bundle io.Reader) error {
	for _, file := range files {
		if err := writeFile(tw, m.CreatedAt, file.name, file.content); err != nil {
			return err
		}
	}
	if err := writeHeader(tw, m.CreatedAt, bundleName, m.Size); err != nil {
		return err
	}
	// A longer bundle is tar.ErrWriteTooLong.
	n, err := io.Copy(tw, bundle)
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n < m.Size {
		return fmt.Errorf("%s is not of the manifest's size, %d bytes", bundleName, m.Size)
	}
	return err
}

func writeFile(tw *tar.Writer, modified time.Time, name string, content []byte) error {
	if err := writeHeader(tw, modified, name, int64(len(content))); err != nil {
		return err
	}
	_, err := tw.Write(content)
	return err
}

// writeHeader leaves out everything that would tell one host from another. The tar library chooses USTAR, and PAX for
// a size over 8 GiB.
func writeHeader(tw *tar.Writer, modified time.Time, name string, size int64) error {
	return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: modified})
}
