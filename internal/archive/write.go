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
	"crypto/sha256"
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

// WriteHead writes what an archive has before the bundle: an encoded manifest, the signature over it (nil for none), the
// refs of a set as they were given to BindRefs (nil for a branch or tag), the list of LFS objects as it was given to BindLFS
// (nil for none), and the header of the bundle. It refuses what Reader would refuse.
func WriteHead(w io.Writer, manifest, signature, refs, lfsList []byte) error {
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
	if err := writeHead(tar.NewWriter(w), m, files); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// Write writes an archive: head, as WriteHead has made it, and the bundle of its manifest. It fails with ErrMalformed if
// that is not what bundle has; what was written may only be used if it succeeded.
func Write(w io.Writer, head, bundle io.Reader) error {
	a, err := NewReader(io.TeeReader(head, w))
	if err == nil {
		_, err = io.Copy(w, head) // the refs, the list of LFS objects and the header of the bundle
	}
	if err == nil {
		err = a.Manifest.writeBundle(w, bundle)
	}
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// blockSize is what the size of a tar's members is padded to with zeros, in bytes.
const blockSize = 512

func (m Manifest) writeBundle(w io.Writer, bundle io.Reader) error {
	hash := sha256.New()
	n, err := io.Copy(w, io.TeeReader(io.LimitReader(bundle, m.Size+1), hash)) // one byte more tells a longer bundle
	if err != nil {
		return err
	}
	if n != m.Size {
		return malformed("%s is not of the manifest's size, %d bytes", bundleName, m.Size)
	}
	if err := m.checkHash(hash.Sum(nil)); err != nil {
		return err
	}
	_, err = w.Write(make([]byte, -m.Size&(blockSize-1)))
	return err
}

// smallFile is a member that is in memory.
type smallFile struct {
	name    string
	content []byte
}

func writeHead(tw *tar.Writer, m Manifest, files []smallFile) error {
	for _, file := range files {
		if err := writeFile(tw, m.CreatedAt, file.name, file.content); err != nil {
			return err
		}
	}
	return writeHeader(tw, m.CreatedAt, bundleName, m.Size)
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
