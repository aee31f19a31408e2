// Package crypt encrypts objects for the other side of the partition, as age files (age-encryption.org/v1). It adds
// to filippo.io/age errors that tell apart a wrong key, a foreign file, a damaged file, and a failed read.
package crypt

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/stream"
)

var (
	// ErrWrongKey says that the object is encrypted to another key. A damaged recipient stanza looks the same.
	ErrWrongKey = errors.New("no identity matches: the object is encrypted to another public key")

	// ErrNotAge says that the object is not a binary age file.
	ErrNotAge = errors.New("not an age file")

	// ErrCorrupt says that an age file is truncated or was altered.
	ErrCorrupt = errors.New("corrupt age file")
)

var errNoIdentities = errors.New("decrypt: no identities")

// intro is the first line of every age file.
const intro = "age-encryption.org/v1\n"

// Encrypt returns a writer that writes its input encrypted to dst. Each of the recipients can decrypt it. Close
// writes the last chunk, and dst is complete only if it succeeds. It does not close dst.
func Encrypt(dst io.Writer, recipients []age.Recipient) (io.WriteCloser, error) {
	w, err := age.Encrypt(dst, recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return w, nil
}

// Of an age file, after its header: https://c2sp.org/age#payload
const (
	chunkSize = 64 << 10 // bytes of plaintext
	tagSize   = 16       // bytes that each chunk has besides
)

// EncryptedSize returns a function of how many bytes Encrypt makes of so many bytes for these recipients.
func EncryptedSize(recipients []age.Recipient) (of func(size int64) int64, err error) {
	var empty bytes.Buffer // of what differs only the header does, by the recipients
	w, err := Encrypt(&empty, recipients)
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	start := int64(empty.Len()) - tagSize
	return func(size int64) int64 {
		chunks := max(1, (size+chunkSize-1)/chunkSize)
		return start + size + chunks*tagSize
	}, nil
}

// Decrypt returns a reader of the plaintext of src. Decrypt and the reader fail with ErrWrongKey, ErrNotAge or
// ErrCorrupt, or with src's own error.
//
// Whatever is read is authentic, but only io.EOF says that it is complete.
func Decrypt(src io.Reader, identities []age.Identity) (io.Reader, error) {
	if len(identities) == 0 {
		return nil, errNoIdentities
	}
	from := &stream.Reader{R: src}
	d := &decrypter{src: from}
	buffered := bufio.NewReader(from)
	line, err := buffered.Peek(len(intro))
	if err := d.checkIntro(line, err); err != nil {
		return nil, err
	}
	if d.plaintext, err = age.Decrypt(buffered, identities...); err != nil {
		return nil, d.classify(err)
	}
	return d, nil
}

// readAhead is how many bytes DecryptAt decrypts at a time, at most. The age package allocates a chunk for each time.
const readAhead = 16 * chunkSize

// DecryptAt is Decrypt for a file of size bytes, which it takes less memory and time for. That the end is cut off, it tells
// at once.
func DecryptAt(src io.ReaderAt, size int64, identities []age.Identity) (io.Reader, error) {
	if len(identities) == 0 {
		return nil, errNoIdentities
	}
	from := &stream.ReaderAt{R: src}
	d := &decrypter{src: from}
	line := make([]byte, len(intro))
	n, err := from.ReadAt(line[:min(size, int64(len(intro)))], 0)
	if err := d.checkIntro(line[:n], err); err != nil {
		return nil, err
	}
	plaintext, length, err := age.DecryptReaderAt(from, size, identities...)
	if err != nil {
		return nil, d.classify(err)
	}
	d.plaintext = io.NewSectionReader(plaintext, 0, length)
	return bufio.NewReaderSize(d, int(min(readAhead, max(chunkSize, length)))), nil
}

type decrypter struct {
	src       interface{ Failed() error }
	plaintext io.Reader
}

func (d *decrypter) Read(p []byte) (int, error) {
	n, err := d.plaintext.Read(p)
	if err != nil && err != io.EOF {
		err = d.classify(err)
	}
	return n, err
}

// checkIntro refuses what does not begin as an age file does; err is why the line is too short, if it is.
func (d *decrypter) checkIntro(line []byte, err error) error {
	switch {
	case string(line) == intro:
		return nil
	case d.src.Failed() != nil:
		return d.classify(err)
	}
	return fmt.Errorf("decrypt: %w: starts with %q", ErrNotAge, line)
}

// classify tells src's errors from age's, which age neither types nor keeps apart.
func (d *decrypter) classify(err error) error {
	if err := d.src.Failed(); err != nil {
		return fmt.Errorf("read ciphertext: %w", err)
	}
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return fmt.Errorf("decrypt: %w", ErrWrongKey)
	}
	// age quotes lines of the header, which may be long.
	return fmt.Errorf("decrypt: %w: %s", ErrCorrupt, foreign.Line(err.Error(), 200))
}
