package activities

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// openBundle opens a bundle that Decrypt has verified: in its object, or, of an object of the predecessor, in a file of its own.
// What is read of it has not been verified since. It fails with ErrAltered where that is found out at once.
func openBundle(run staging.Run, i int, b archive.Bundle, identities []age.Identity) (io.ReadCloser, error) {
	file, err := run.Open(numbered(bundleFile, i))
	inObject := errors.Is(err, staging.ErrMissing)
	if inObject {
		file, err = run.Open(numbered(objectFile, i))
	}
	if err != nil {
		return nil, err
	}
	content := io.Reader(file)
	if inObject {
		content, err = bundleInObject(file, b, identities)
	} else {
		err = requireSize(file, b.Size)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{content, file}, nil
}

// bundleInObject returns a reader of the bundle in an object, all of whose errors but the disk's are ErrAltered.
func bundleInObject(file *os.File, b archive.Bundle, identities []age.Identity) (io.Reader, error) {
	plaintext, err := decryptFile(file, identities)
	if err != nil {
		return nil, asAltered(err)
	}
	opened, err := archive.NewReader(plaintext)
	if err != nil {
		return nil, asAltered(err)
	}
	if m := opened.Manifest; m.Size != b.Size || m.SHA256 != b.SHA256 {
		return nil, fmt.Errorf("%w: it has the bundle with the SHA-256 %s in the place of %s", ErrAltered, m.SHA256, b.SHA256)
	}
	content, err := opened.Bundle()
	if err != nil {
		return nil, asAltered(err)
	}
	return unverifiedReader{content}, nil
}

func requireSize(file *os.File, size int64) error {
	info, err := file.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("%w: it has %d bytes instead of %d", ErrAltered, info.Size(), size)
	}
	return err
}

// unverifiedReader reads from an object that was verified before.
type unverifiedReader struct{ io.Reader }

func (r unverifiedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	return n, asAltered(err)
}

// asAltered adds ErrAltered to what is wrong with an object.
func asAltered(err error) error {
	wrong := []error{crypt.ErrWrongKey, crypt.ErrNotAge, crypt.ErrCorrupt, archive.ErrMalformed, archive.ErrVersion}
	if slices.ContainsFunc(wrong, func(target error) bool { return errors.Is(err, target) }) {
		return fmt.Errorf("%w: %w", ErrAltered, err)
	}
	return err
}
