package catalog

import (
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const (
	// MaxInterval is the largest Catalog.IntervalSeconds.
	MaxInterval = 31 * 24 * 60 * 60

	maxSequence  = 1<<53 - 1 // the largest integer that all readers of JSON know
	maxCreatedBy = 200       // bytes
)

var (
	hashPattern = regexp.MustCompile(`^([0-9a-f]{64})?$`)
	kindPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,63}$`)
)

// validate refuses what the producer never writes.
func (c *Catalog) validate() error {
	switch {
	case !validTime(c.CreatedAt):
		return fmt.Errorf("created_at %s is not between 1970 and 9999", c.CreatedAt.Format(time.RFC3339))
	case c.Sequence < c.CreatedAt.UnixMilli() || c.Sequence > maxSequence:
		return fmt.Errorf("sequence %d is not from created_at in milliseconds to %d", c.Sequence, int64(maxSequence))
	case c.IntervalSeconds <= 0 || c.IntervalSeconds > MaxInterval:
		return fmt.Errorf("interval_seconds %d is not from 1 to %d", c.IntervalSeconds, MaxInterval)
	case len(c.CreatedBy) > maxCreatedBy || !utf8.ValidString(c.CreatedBy):
		return fmt.Errorf("created_by is not UTF-8 of at most %d bytes", maxCreatedBy)
	case len(c.Syncs)+len(c.Removed) > MaxSyncs:
		return tooManySyncs(len(c.Syncs) + len(c.Removed))
	}
	if c.Environment != "" {
		if _, err := archive.ParseEnvironment(c.Environment); err != nil {
			return fmt.Errorf("environment: %w", err)
		}
	}
	return errors.Join(validateSyncs(c.Syncs), validateSyncs(c.Removed))
}

func validateSyncs(syncs []Sync) error {
	for i, s := range syncs {
		if err := s.validate(); err != nil {
			return fmt.Errorf("sync %d, %s: %w", i+1, foreign.Quote(s.Destination.String(), 200), err)
		}
		if i > 0 && Compare(syncs[i-1].Destination, s.Destination) >= 0 {
			return fmt.Errorf("sync %d, %q: comes twice, or not in order", i+1, s.Destination)
		}
	}
	return nil
}

func tooManySyncs(n int) error { return fmt.Errorf("%d syncs, limit %d", n, MaxSyncs) }

func (s Sync) validate() error {
	if err := s.Destination.Validate(); err != nil {
		return err
	}
	switch {
	case s.State == "" && (!s.SeenAt.IsZero() || !s.MovedAt.IsZero()):
		return errors.New("seen_at or moved_at without a state")
	case s.State != "" && !project.ValidCommit(s.State):
		return fmt.Errorf("state %s is neither a commit nor a state id", foreign.Quote(s.State, 100))
	case s.State != "" && (!validTime(s.SeenAt) || !validTime(s.MovedAt)):
		return errors.New("seen_at or moved_at is not between 1970 and 9999")
	}
	if f := s.Failure; f != nil && (!kindPattern.MatchString(f.Kind) || !validTime(f.Since)) {
		return fmt.Errorf("failure %s since %s: not a kind, or not between 1970 and 9999", foreign.Quote(f.Kind, 100), f.Since.Format(time.RFC3339))
	}
	return s.validateObject()
}

func (s Sync) validateObject() error {
	id, ok := s.ObjectID()
	if !ok {
		return nil
	}
	if err := id.Validate(); err != nil {
		return fmt.Errorf("object: %w", err)
	}
	o := s.Object
	switch {
	case o.Size < 0:
		return fmt.Errorf("object: size %d is negative", o.Size)
	case o.LFSObjects < 0 || o.LFSSize < 0:
		return fmt.Errorf("object: lfs_objects %d or lfs_size %d is negative", o.LFSObjects, o.LFSSize)
	case !validTime(o.Modified) || !o.MadeAt.IsZero() && !validTime(o.MadeAt):
		return errors.New("object: modified or made_at is not between 1970 and 9999")
	}
	for name, hash := range map[string]string{"manifest_sha256": o.ManifestSHA256, "chain": o.Chain, "keys": o.Keys} {
		if !hashPattern.MatchString(hash) {
			return fmt.Errorf("object: %s %s is not a SHA-256", name, foreign.Quote(hash, 100))
		}
	}
	return nil
}

func validTime(t time.Time) bool { return t.Unix() > 0 && t.Year() <= 9999 }
