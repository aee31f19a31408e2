package activities

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// UploadInput is what Upload needs besides the Work.
type UploadInput struct {
	ID        object.ID `json:"id"`
	CreatedAt time.Time `json:"created_at"` // of Packaged
	Note      string    `json:"note,omitempty"`
	// ManifestSHA256 is of Packaged, too.
	ManifestSHA256 string `json:"manifest_sha256,omitempty"`
	Changes        string `json:"changes,omitempty"` // of Cloned
	Size           int64  `json:"size"`              // bytes
	// LFS is of UploadedLFS; zero if nothing was needed.
	LFS MovedLFS `json:"lfs,omitzero"`
}

// Uploaded describes an object that is in the bucket.
type Uploaded struct {
	Summary string    `json:"summary"`
	ID      object.ID `json:"id"`
	Key     string    `json:"key"`
	Size    int64     `json:"size"` // bytes

	// What follows is for the producer's catalog, which gets it from the run's result.

	ETag           string    `json:"etag,omitempty"`
	Modified       time.Time `json:"modified,omitzero"`         // when it was uploaded, as the bucket says it
	CreatedAt      time.Time `json:"created_at,omitzero"`       // of the manifest
	ManifestSHA256 string    `json:"manifest_sha256,omitempty"` // lower-case hexadecimal
	Keys           string    `json:"keys,omitempty"`            // see Producer.keysFingerprint
	BaseChain      string    `json:"base_chain,omitempty"`      // of the plan, for an increment
	LFSObjects     int       `json:"lfs_objects,omitempty"`     // that the object needs, and that are in the bucket
	LFSSize        int64     `json:"lfs_size,omitempty"`        // of all these, in bytes

	Pause *fleet.Pause `json:"pause,omitempty"` // why nothing was uploaded
}

// Upload puts the object into the bucket. It first deletes what the object was made of, to make room.
func (p *Producer) Upload(ctx context.Context, work UploadWork, in UploadInput) (uploaded Uploaded, err error) {
	run, err := p.Staging.Run(work.Staged.Run)
	if err != nil {
		return uploaded, err
	}
	file, err := run.Open(objectFile)
	if err != nil {
		return uploaded, err
	}
	defer file.Close()
	if err := run.Discard(bundleFile, refsFile, fetchedFile, lfsFile, headFile, archiveFile); err != nil {
		return uploaded, err
	}
	key, err := p.key(in.ID)
	if err != nil {
		return uploaded, err
	}
	meter := startMeter(ctx, in.Size)
	defer meter.stop()
	placed := placement{producer: p, key: key, seenChain: work.Plan.SeenChain, UploadInput: in}
	own, err := p.put(ctx, placed, meteredAt{file, meter, 0})
	if err != nil {
		return p.leaveOvertaken(ctx, err)
	}
	if p.WritePredecessor {
		if err := placed.deleteEarlier(ctx); err != nil {
			return uploaded, err
		}
	}
	summary := fmt.Sprintf("%s, %s", Describe(in.ID, in.Changes), humanize.Bytes(uint64(in.Size)))
	if in.LFS.needed() > 0 {
		summary += "; " + in.LFS.Summary()
	}
	if in.Note != "" {
		summary += "; " + in.Note
	}
	uploaded = Uploaded{
		Summary: summary, ID: in.ID, Key: key, Size: in.Size,
		ETag: own.ETag, Modified: own.Modified, CreatedAt: in.CreatedAt, ManifestSHA256: in.ManifestSHA256, Keys: p.keysFingerprint(),
		LFSObjects: in.LFS.Sent + in.LFS.There, LFSSize: in.LFS.Size,
	}
	if in.ID.Base != "" {
		uploaded.BaseChain = work.Plan.BaseChain
	}
	return uploaded, nil
}

// meteredAt tracks how far a file has been read, after so many bytes of others. Parts are read concurrently, and more than
// once when they are signed or sent again.
type meteredAt struct {
	io.ReaderAt
	meter *meter
	after int64
}

func (r meteredAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, offset)
	r.meter.advanceTo(r.after + offset + int64(n))
	return n, err
}

// Describe describes an object in words: from where to where it leads, and the changes to the refs of a set.
func Describe(id object.ID, changes string) string {
	of := ""
	if id.Destination.IsSet() {
		of = "of state "
	}
	words := "snapshot " + of + plan.Short(id.Commit)
	if id.Base != "" {
		words = fmt.Sprintf("increment %s%s -> %s", of, plan.Short(id.Base), plan.Short(id.Commit))
	}
	if changes != "" {
		words += ": " + changes
	}
	return words
}
