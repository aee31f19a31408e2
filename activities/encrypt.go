package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// Encrypted is an encrypted object on a worker's disk.
type Encrypted struct {
	Size int64 `json:"size"` // bytes
}

// Encrypt encrypts the archive to the recipients, and that of a set to the producer itself. If the bundle is not what Clone has
// left, it fails with staging.ErrMissing, and the run starts over.
func (p *Producer) Encrypt(ctx context.Context, work UploadWork) (encrypted Encrypted, err error) {
	run, err := p.Staging.Run(work.Staged.Run)
	if err != nil {
		return encrypted, err
	}
	archive, err := openArchive(run)
	if err != nil {
		return encrypted, err
	}
	defer archive.close()
	if err := p.Staging.RequireFree(archive.size); err != nil {
		return encrypted, err
	}
	recipients, err := p.recipients(work.Plan.Sync.Destination)
	if err != nil {
		return encrypted, err
	}

	meter := startMeter(ctx, archive.size)
	defer meter.stop()
	err = run.Create(objectFile, func(f *os.File) error {
		w, err := crypt.Encrypt(f, recipients)
		if err != nil {
			return err
		}
		if err := errors.Join(archive.write(meter.write(w)), w.Close()); err != nil {
			return err
		}
		encrypted.Size, err = f.Seek(0, io.SeekCurrent)
		return err
	})
	return encrypted, err
}

// recipients can read the objects of a destination. Those of a set the producer itself can, too: it has to know later
// which refs it has uploaded.
func (p *Producer) recipients(destination project.Branch) ([]age.Recipient, error) {
	if !destination.IsSet() || !p.Signer.Signs() {
		return p.Recipients, nil
	}
	key, err := p.selfKey()
	if err != nil {
		return nil, err
	}
	return key.AddTo(p.Recipients), nil
}

// keysFingerprint is of what objects are made with: the keys that they are encrypted to, the key that signs them, and their
// environment. Objects with another one are replaced. It is a SHA-256 in lower-case hexadecimal, of nothing that is secret.
func (p *Producer) keysFingerprint() string {
	return fingerprint("%q %q %q", p.recipientNames(), p.Signer.PublicKey(), p.Environment)
}

// recipientsFingerprint is of the keys that LFS objects are encrypted to, likewise.
func (p *Producer) recipientsFingerprint() string { return fingerprint("%q", p.recipientNames()) }

func (p *Producer) recipientNames() (names []string) {
	for _, r := range p.Recipients {
		names = append(names, fmt.Sprint(r))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func fingerprint(format string, args ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return hex.EncodeToString(sum[:])
}

// selfKey is the key of the producer's own for the objects of sets. It goes with the signing key.
func (p *Producer) selfKey() (*crypt.SelfKey, error) {
	secret, err := p.Signer.Derive(crypt.SelfPurpose)
	if err != nil {
		return nil, err
	}
	return crypt.NewSelfKey(secret)
}
