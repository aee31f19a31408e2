package activities

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/predecessor"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// ErrPredecessor says that the predecessor has made an object, and that this consumer does not read it.
var ErrPredecessor = errors.New("the predecessor has made the object")

// recognised tells an archive of the predecessor whose key is like one of ours, as those of its first versions are.
func recognised(plaintext *bufio.Reader) bool {
	start, _ := plaintext.Peek(predecessor.StartSize) // whoever reads on gets the error
	return predecessor.Recognise(start)
}

// readsPredecessors tells whether what the predecessor has made is pushed. Where signatures count, it never is.
func (c *Consumer) readsPredecessors() bool { return c.ReadPredecessor && !c.Verifier.Verifies() }

// mayReadPredecessors refuses archives that say of themselves neither who has made them nor for whom.
func (c *Consumer) mayReadPredecessors() error {
	if !c.readsPredecessors() {
		return ErrPredecessor
	}
	return archive.Manifest{}.CheckEnvironment(c.Environment)
}

// bundlePredecessors makes a Git bundle of an archive of the predecessor: its pack as it is, behind the header of the commit that
// the archive has for the branch, which need not be the key's. That is known only at the end, and all headers of a branch
// are of one length.
func (c *Consumer) bundlePredecessors(run staging.Run, i int, o object.Stored, plaintext io.Reader) (b archive.Bundle, err error) {
	b.Destination, b.CreatedAt = o.Destination, o.Modified
	wanted := predecessor.Wanted{Branch: o.Destination.Branch, ObjectSize: o.Size, Room: c.Staging.RequireFree}
	if o.ByPredecessor() {
		wanted.Branch = o.SourceBranch
	}
	err = run.Create(numbered(bundleFile, i), func(f *os.File) error {
		head, err := bundle.EncodeHeader(o.ID)
		if err != nil {
			return err
		}
		if _, err := f.Write(head); err != nil {
			return err
		}
		if b.Commit, err = predecessor.Read(plaintext, wanted, f); err != nil {
			return err
		}
		if head, err = bundle.EncodeHeader(b.ID); err != nil {
			return err
		}
		if _, err := f.WriteAt(head, 0); err != nil {
			return err
		}
		b.Size, b.SHA256, err = sum(f)
		return err
	})
	return b, err
}

// sum reads a file from its beginning.
func sum(f *os.File) (size int64, sha string, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, "", err
	}
	hash := sha256.New()
	size, err = io.Copy(hash, f)
	return size, hex.EncodeToString(hash.Sum(nil)), err
}

// foundCommit is the commit that the branch becomes, where it is another one than the newest object's key says.
func (c *Consumer) foundCommit(in PushInput) string {
	if n := len(in.Bundles); c.readsPredecessors() && n > 0 && in.Bundles[n-1].Commit != in.Target.Commit {
		return in.Bundles[n-1].Commit
	}
	return ""
}
