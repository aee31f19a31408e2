package catalog

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

const (
	version  = 1
	fileName = "catalog.json.gz"

	// MaxSize bounds the object in bytes: the compressed catalog, and what is around it, 256 KiB with the age header of up to a
	// hundred recipients.
	MaxSize = maxCompressed + 256<<10

	maxCompressed = 16 << 20 // bytes
	maxPlain      = 64 << 20 // bytes
)

// Write writes the catalog, with its syncs sorted. It refuses what Read would refuse, and fails with
// sign.ErrNoSigner without a signing key. w must only be used if it succeeded.
func Write(w io.Writer, c Catalog, recipients []age.Recipient, signer sign.Signer) error {
	compressed, err := c.encode()
	if err != nil {
		return fmt.Errorf("write catalog: %w", err)
	}
	signature, err := signer.SignCatalog(compressed)
	if err != nil {
		return fmt.Errorf("write catalog: %w", err)
	}
	encrypted, err := crypt.Encrypt(w, recipients)
	if err != nil {
		return fmt.Errorf("write catalog: %w", err)
	}
	err = archive.WriteSigned(encrypted, fileName, compressed, signature, c.CreatedAt)
	if err := errors.Join(err, encrypted.Close()); err != nil {
		return fmt.Errorf("write catalog: %w", err)
	}
	return nil
}

// Read reads what Write wrote, up to the end of r. It fails, as reading an object does, with crypt.ErrNotAge,
// crypt.ErrWrongKey, crypt.ErrCorrupt, sign.ErrBadSignature, archive.ErrVersion, archive.ErrMalformed,
// archive.ErrEnvironment, or the error of r. It does not judge how old or new the catalog is.
func Read(r io.Reader, identities []age.Identity, verifier sign.Verifier, here archive.Environment) (Catalog, error) {
	c, err := read(r, identities, verifier, here)
	if err != nil {
		return Catalog{}, fmt.Errorf("read catalog: %w", err)
	}
	return c, nil
}

func read(r io.Reader, identities []age.Identity, verifier sign.Verifier, here archive.Environment) (c Catalog, err error) {
	decrypted, err := crypt.Decrypt(r, identities)
	if err != nil {
		return c, err
	}
	compressed, signature, err := archive.ReadSigned(decrypted, fileName, maxCompressed)
	if err != nil {
		return c, err
	}
	if err := verifier.VerifyCatalog(compressed, signature); err != nil {
		return c, err
	}
	if c, err = parse(compressed); err != nil {
		return c, err
	}
	return c, here.Check(c.Environment)
}

func (c Catalog) encode() ([]byte, error) {
	c.FormatVersion = version
	c.CreatedAt = c.CreatedAt.UTC()
	c.Syncs, c.Removed = sorted(c.Syncs), sorted(c.Removed)
	if err := c.validate(); err != nil {
		return nil, err
	}
	var compressed bytes.Buffer
	zip := gzip.NewWriter(&compressed)
	plain := &limitedWriter{w: zip, remaining: maxPlain}
	if err := errors.Join(json.NewEncoder(plain).Encode(c), zip.Close()); err != nil {
		return nil, err
	}
	if n := compressed.Len(); n > maxCompressed {
		return nil, fmt.Errorf("%d bytes compressed, limit %d", n, maxCompressed)
	}
	return compressed.Bytes(), nil
}

func sorted(syncs []Sync) []Sync {
	syncs = append([]Sync{}, syncs...)
	slices.SortFunc(syncs, func(a, b Sync) int { return Compare(a.Destination, b.Destination) })
	return syncs
}

// limitedWriter fails at more bytes than Read takes.
type limitedWriter struct {
	w         io.Writer
	remaining int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.remaining -= len(p); l.remaining < 0 {
		return 0, fmt.Errorf("longer than %d bytes", maxPlain)
	}
	return l.w.Write(p)
}

// parse returns the catalog in what encode has written in this release, or in a later one that only added members. It
// fails with archive.ErrVersion or archive.ErrMalformed.
func parse(compressed []byte) (Catalog, error) {
	text, err := decompress(compressed)
	if err != nil {
		return Catalog{}, malformed(err)
	}
	// The version is read first, because in another version everything else may have another shape.
	var head struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Catalog{}, malformed(err)
	}
	switch v := head.FormatVersion; {
	case v > version:
		return Catalog{}, fmt.Errorf("%w %d: made by a newer version of the software, which writes more than this one reads (%d)", archive.ErrVersion, v, version)
	case v < version:
		return Catalog{}, fmt.Errorf("%w %d, expected %d", archive.ErrVersion, v, version)
	}
	var in struct {
		Catalog
		// In the place of the embedded ones:
		Syncs   syncList `json:"syncs"`
		Removed syncList `json:"removed"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return Catalog{}, malformed(err)
	}
	c := in.Catalog
	c.CreatedAt, c.Syncs, c.Removed = c.CreatedAt.UTC(), in.Syncs, in.Removed
	if err := c.validate(); err != nil {
		return Catalog{}, malformed(err)
	}
	return c, nil
}

// syncList is read sync by sync, so that no more are made of it than there may be.
type syncList []Sync

func (l *syncList) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return errors.New("syncs: not a list")
	}
	*l = nil
	for decoder.More() {
		if len(*l) == MaxSyncs {
			return tooManySyncs(MaxSyncs + 1)
		}
		var s Sync
		if err := decoder.Decode(&s); err != nil {
			return err
		}
		*l = append(*l, s)
	}
	return nil
}

// decompress accepts exactly one gzip stream of at most maxPlain bytes.
func decompress(compressed []byte) ([]byte, error) {
	rest := bytes.NewReader(compressed)
	zip, err := gzip.NewReader(rest)
	if err != nil {
		return nil, err
	}
	zip.Multistream(false)
	text, err := io.ReadAll(io.LimitReader(zip, maxPlain+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxPlain:
		return nil, fmt.Errorf("longer than %d bytes", maxPlain)
	case rest.Len() > 0:
		return nil, errors.New("data after the gzip stream")
	}
	return text, nil
}

func malformed(err error) error { return fmt.Errorf("%w: %s: %w", archive.ErrMalformed, fileName, err) }
