package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/stream"
)

const (
	// maxSignatureSize bounds a minisign signature in bytes. Its two comments may be of any length; ours make it about
	// 300.
	maxSignatureSize = 4 << 10

	// maxOverhead bounds, in bytes, what surrounds the bundle, the refs and the list of LFS objects: the other two members, tar's headers, and the zeros at
	// the end, which stock tar pads to 10 KiB. It also ends a chain of extended headers, which the tar library would
	// follow for ever.
	maxOverhead = maxManifestSize + maxSignatureSize + 64<<10
)

// ErrMalformed says that an archive does not follow the format.
var ErrMalformed = errors.New("malformed archive")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

// Reader reads an archive from a stream that may be hostile.
type Reader struct {
	Manifest      Manifest
	ManifestBytes []byte // as signed
	Signature     []byte // not verified; nil when there is none

	members
	following []expected // that have not been reached
	refs      func() (refset.Difference, error)
	lfs       func() (lfs.List, error)
}

// members reads the members of a tar, one after the other.
type members struct {
	src  *boundedReader
	tar  *tar.Reader
	last string // the member that it ends with
}

func newMembers(r io.Reader, limit int64, last string) members {
	src := &boundedReader{Reader: stream.Reader{R: r}, remaining: limit}
	return members{src: src, tar: tar.NewReader(src), last: last}
}

// NewReader reads the manifest and the signature, and no more of what follows than the first header. It fails with
// ErrMalformed, ErrVersion, or the error of r.
func NewReader(r io.Reader) (*Reader, error) {
	a := &Reader{members: newMembers(r, maxOverhead, bundleName)}
	a.refs, a.lfs = sync.OnceValues(a.readRefs), sync.OnceValues(a.readLFS)
	if err := a.readHead(); err != nil {
		return nil, fmt.Errorf("read archive: %w", a.classify(err))
	}
	return a, nil
}

func (a *Reader) readHead() error {
	header, err := a.nextHeader()
	if err != nil {
		return err
	}
	if a.ManifestBytes, err = a.readSmall(header, manifestName, maxManifestSize); err != nil {
		return err
	}
	if a.Manifest, err = ParseManifest(a.ManifestBytes); err != nil {
		return err
	}
	if header, err = a.nextHeader(); err != nil {
		return err
	}
	if header.Name == signatureName {
		if a.Signature, err = a.readSmall(header, signatureName, maxSignatureSize); err != nil {
			return err
		}
		if header, err = a.nextHeader(); err != nil {
			return err
		}
	}
	a.following = a.Manifest.following()
	return a.checkMember(header)
}

// expected is a member as the manifest has it.
type expected struct {
	name string
	size int64
}

// following are the members behind the manifest and the signature, in their order.
func (m Manifest) following() (following []expected) {
	if m.Destination.IsSet() {
		following = append(following, expected{refsName, m.RefsSize})
	}
	if m.HasLFS() {
		following = append(following, expected{lfsName, m.LFSSize})
	}
	return append(following, expected{bundleName, m.Size})
}

// checkNext reads the header of the next member, which has to be the next one of those that follow.
func (a *Reader) checkNext() error {
	header, err := a.nextHeader()
	if err != nil {
		return err
	}
	return a.checkMember(header)
}

func (a *Reader) checkMember(header *tar.Header) error {
	next := a.following[0]
	a.following = a.following[1:]
	if header.Name != next.name {
		return malformed("unexpected member %s, not %q", foreign.Quote(header.Name, 100), next.name)
	}
	if header.Size != next.size {
		return malformed("%s is of %d bytes, the manifest says %d", next.name, header.Size, next.size)
	}
	return nil
}

// readSized reads a member of the manifest's size.
func (a *Reader) readSized(size int64) ([]byte, error) {
	a.src.remaining += size
	return io.ReadAll(a.tar)
}

// Bundle returns a reader of the bundle, which verifies nothing of it. It fails with ErrMalformed, or the error of NewReader's
// r, and so does the reader. It can be called once, and not with CopyBundle.
func (a *Reader) Bundle() (io.Reader, error) {
	if _, err := a.LFS(); err != nil {
		return nil, err
	}
	a.src.remaining += a.Manifest.Size
	return &bundleReader{a}, nil
}

type bundleReader struct{ archive *Reader }

func (b *bundleReader) Read(p []byte) (int, error) {
	n, err := b.archive.tar.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read archive: %w", b.archive.classify(err))
	}
	return n, err
}

// CopyBundle writes the bundle to w, and then checks its hash and that the archive ends. The output must only be used
// if it succeeded. It fails with ErrMalformed, or the error of w or of NewReader's r. It can be called once.
func (a *Reader) CopyBundle(w io.Writer) error {
	bundle, err := a.Bundle()
	if err != nil {
		return err
	}
	hash := sha256.New()
	dst := &stream.Writer{W: w}
	_, err = io.Copy(io.MultiWriter(dst, hash), bundle)
	switch {
	case dst.Err != nil:
		return fmt.Errorf("copy %s: %w", bundleName, dst.Err)
	case err != nil:
		return err
	}
	if err = a.Manifest.checkHash(hash.Sum(nil)); err == nil {
		err = a.checkEnd()
	}
	if err != nil {
		return fmt.Errorf("read archive: %w", a.classify(err))
	}
	return nil
}

func (m Manifest) checkHash(sum []byte) error {
	if got := hex.EncodeToString(sum); got != m.SHA256 {
		return malformed("the SHA-256 of %s is %s, the manifest says %s", bundleName, got, m.SHA256)
	}
	return nil
}

// nextHeader returns the header of the next member, which has to be a regular file.
func (m *members) nextHeader() (*tar.Header, error) {
	header, err := m.tar.Next()
	if err == io.EOF {
		return nil, malformed("ends before %s", m.last)
	}
	if err != nil {
		return nil, err
	}
	if header.Typeflag != tar.TypeReg {
		return nil, malformed("member %s is not a file, but of tar type %q", foreign.Quote(header.Name, 100), header.Typeflag)
	}
	for record := range header.PAXRecords {
		// A few bytes can stand for terabytes of zeros.
		if strings.HasPrefix(record, "GNU.sparse.") {
			return nil, malformed("member %s is sparse", foreign.Quote(header.Name, 100))
		}
	}
	return header, nil
}

func (m *members) readSmall(header *tar.Header, name string, limit int64) ([]byte, error) {
	if header.Name != name {
		return nil, malformed("unexpected member %s, not %q", foreign.Quote(header.Name, 100), name)
	}
	if header.Size > limit {
		return nil, malformed("%s is of %d bytes, limit %d", name, header.Size, limit)
	}
	return io.ReadAll(m.tar)
}

// checkEnd reads to the end of the stream, because only then an age file is known to be complete.
func (m *members) checkEnd() error {
	header, err := m.tar.Next()
	if err == nil {
		return malformed("unexpected member %s after %s", foreign.Quote(header.Name, 100), m.last)
	}
	if err != io.EOF {
		return err
	}
	padding, err := io.ReadAll(m.src)
	if err != nil {
		return err
	}
	if len(strings.Trim(string(padding), "\x00")) > 0 {
		return malformed("data after the end")
	}
	return nil
}

// classify tells the errors of the stream below, such as a failed download or a ciphertext that does not
// authenticate, from the archive's own. It returns the former as they are, and the latter as ErrMalformed or
// ErrVersion.
func (m *members) classify(err error) error {
	switch {
	case m.src.Failed() != nil:
		return m.src.Failed()
	case errors.Is(err, ErrMalformed), errors.Is(err, ErrVersion):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("truncated")
	}
	return malformed("%w", err)
}
