package activities

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/predecessor"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

var (
	// ErrOtherRun says that a run's objects are not those of its destination.
	ErrOtherRun = errors.New("the run's objects and its destination disagree")
	// ErrWithheld says that the bucket's newest object is an older one than the producer's catalog has.
	ErrWithheld = errors.New("an older object is in the place of the newest")
	// ErrGone says that the bucket has no object of a destination, and the producer's catalog names one.
	ErrGone = errors.New("the bucket has no object in the place of the newest")
)

// DecryptInput is what Decrypt needs besides the Work.
type DecryptInput struct {
	Commit  string          `json:"commit"` // the last object's commit
	Objects []object.Stored `json:"objects"`
}

// Decrypted is what the destination needs: the Git bundles in the objects on a worker's disk, which are verified.
type Decrypted struct {
	Bundles []archive.Bundle `json:"bundles"` // oldest first
	// LFSObjects is how many LFS objects these need, and LFSSize how many bytes those have that the source had. What two
	// bundles need is counted twice.
	LFSObjects int   `json:"lfs_objects,omitempty"`
	LFSSize    int64 `json:"lfs_size,omitempty"`
}

// Decrypt verifies the objects to their end: it refuses an object without a signature by a trusted key, and one whose
// manifest, key and content do not agree. It keeps the refs of sets and the lists of LFS objects. The bundles, which are
// large, stay where they are: Push decrypts them once more while it sends them.
func (c *Consumer) Decrypt(ctx context.Context, work PushWork, in DecryptInput) (decrypted Decrypted, err error) {
	run, err := c.Staging.Run(work.Staged.Run)
	if err != nil {
		return decrypted, err
	}
	if err := checkObjects(work.Plan.Destination, in.Commit, in.Objects); err != nil {
		return decrypted, err
	}
	meter := startMeter(ctx, sizeOf(in.Objects))
	defer meter.stop()
	for i, o := range in.Objects {
		bundle, needed, err := c.decrypt(run, i, o, work.Plan.ExpectedAt(in.Objects, i), meter)
		if err != nil {
			return decrypted, fmt.Errorf("object %s: %w", o.Key, err)
		}
		decrypted.Bundles = append(decrypted.Bundles, bundle)
		decrypted.LFSObjects += len(needed)
		decrypted.LFSSize += lfs.TotalSize(needed.Present())
	}
	return decrypted, nil
}

// decrypt returns the bundle of an object, and the LFS objects that it needs.
func (c *Consumer) decrypt(run staging.Run, i int, o object.Stored, expected plan.Expected, meter *meter) (bundle archive.Bundle, needed lfs.List, err error) {
	encrypted, err := run.Open(numbered(objectFile, i))
	if err != nil {
		return bundle, nil, err
	}
	defer encrypted.Close()
	if err := run.Discard(numbered(lfsFile, i)); err != nil { // of an attempt before, whose object was another one
		return bundle, nil, err
	}
	plaintext, err := decryptFile(encrypted, c.Identities)
	if err != nil {
		return bundle, nil, err
	}
	opened, err := c.openPlaintext(plaintext, o, expected)
	if err != nil {
		return bundle, nil, err
	}
	if opened.predecessors != nil {
		bundle, err = c.bundlePredecessors(run, i, o, meter.read(opened.predecessors))
		return bundle, nil, err
	}
	if err := run.Discard(numbered(bundleFile, i)); err != nil { // likewise
		return bundle, nil, err
	}
	bundle = opened.archive.Manifest.Bundle
	if o.Destination.IsSet() {
		if err := stageRefs(run, i, opened.archive); err != nil {
			return bundle, nil, err
		}
	}
	if needed, err = stageLFSList(run, i, opened.archive); err != nil {
		return bundle, nil, err
	}
	return bundle, needed, opened.archive.CopyBundle(meter)
}

// decryptFile returns a reader of the plaintext of a staged object.
func decryptFile(file *os.File, identities []age.Identity) (io.Reader, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return crypt.DecryptAt(file, info.Size(), identities)
}

// opened is an object whose content is about to be read. Exactly one of the fields is set.
type opened struct {
	archive      *archive.Reader // up to the bundle
	predecessors io.Reader       // the archive that the predecessor has made
}

// openObject reads the beginning of an object up to its bundle, and refuses what openPlaintext refuses.
func (c *Consumer) openObject(encrypted io.Reader, o object.Stored, expected plan.Expected) (opened, error) {
	decrypted, err := crypt.Decrypt(encrypted, c.Identities)
	if err != nil {
		return opened{}, err
	}
	return c.openPlaintext(decrypted, o, expected)
}

// openPlaintext reads what is in an object up to its bundle. It refuses the object unless a trusted key has signed the manifest,
// and the manifest agrees with the object's key and is what is expected. It refuses objects of the predecessor, which have
// no manifest, unless ReadPredecessor is set.
func (c *Consumer) openPlaintext(decrypted io.Reader, o object.Stored, expected plan.Expected) (content opened, err error) {
	plaintext := bufio.NewReaderSize(decrypted, predecessor.StartSize)
	if o.ByPredecessor() || o.Base == "" && !o.Destination.IsTag() && !o.Destination.IsSet() && recognised(plaintext) {
		content.predecessors = plaintext
		return content, c.mayReadPredecessors()
	}
	reader, err := archive.NewReader(plaintext)
	if err != nil {
		return content, err
	}
	if err := c.Verifier.Verify(reader.ManifestBytes, reader.Signature); err != nil {
		return content, err
	}
	if err := reader.Manifest.CheckID(o.ID); err != nil {
		return content, err
	}
	if err := reader.Manifest.CheckEnvironment(c.Environment); err != nil {
		return content, err
	}
	content.archive = reader
	if err := checkExpected(reader, expected); err != nil {
		return content, err
	}
	return content, c.checkClock(reader.Manifest.CreatedAt)
}

// checkExpected refuses a newest object that is neither the one that the producer's catalog names nor a later one.
func checkExpected(reader *archive.Reader, expected plan.Expected) error {
	if made := reader.Manifest.CreatedAt; !expected.Accepts(sha256Of(reader.ManifestBytes), made) {
		return fmt.Errorf("%w: it was made %s, and the one in the producer's catalog %s",
			ErrWithheld, made.Format(time.RFC3339Nano), expected.MadeAt.Format(time.RFC3339Nano))
	}
	return nil
}

// checkObjects refuses a run whose objects are for another destination, or do not lead to its commit in their order.
// Anyone who may start a workflow could name any objects.
func checkObjects(destination project.Branch, commit string, objects []object.Stored) error {
	at := ""
	for i, o := range objects {
		switch {
		case o.Destination != destination:
			return fmt.Errorf("%w: object %s is for %s", ErrOtherRun, o.Key, o.Destination)
		case i > 0 && o.Base != at:
			return fmt.Errorf("%w: object %s builds on %q, and follows %s", ErrOtherRun, o.Key, o.Base, at)
		}
		at = o.Commit
	}
	if len(objects) > 0 && at != commit {
		return fmt.Errorf("%w: the objects lead to %s, not to %s", ErrOtherRun, at, commit)
	}
	return nil
}
