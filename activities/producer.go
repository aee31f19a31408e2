// Package activities holds the steps of the workflows, one in each file. They are thin: the work is done by the
// libraries below internal.
package activities

import (
	"sync"
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// Common is what the activities of both sides work with.
type Common struct {
	Bucket  *bucket.Bucket
	Staging *staging.Area
	// Host is the task queue of this worker alone.
	Host  string
	Clock func() time.Time
	// LocalActivityMaxSize is up to how many bytes of files the steps that need nothing else are parts of workflow tasks; 0 for none.
	LocalActivityMaxSize int64
	// Settings is a fingerprint of the configuration that decides whether a branch is refused.
	Settings string
	// LastRuns are those of the side's children.
	LastRuns LastRuns
	// Cycles tells whether cycles may start in between.
	Cycles Cycles
	// Down remembers whether the Git server has answered; nil remembers nothing.
	Down *ServerDown
	// Attributes tells which search attributes children may set; nil does not know.
	Attributes *SearchAttributes
	// Pauses tells which syncs are paused.
	Pauses Pauses
	// Notifier tells people what has changed; nil where nobody is to be told.
	Notifier *Notifier
}

// Producer is what the activities on the source's side work with.
type Producer struct {
	Common

	Syncs  SyncList
	Source SourceForge
	// LFS is the sources' Git LFS server; nil where LFS objects are not synced.
	LFS LFSSource
	// MaxLFSProjectSize bounds the LFS objects of a destination project in the bucket, in bytes; 0 for no bound.
	MaxLFSProjectSize int64
	// Recipients are the keys that objects are encrypted to.
	Recipients []age.Recipient
	// ThinPacks allows increments to contain deltas against objects that the destination has.
	ThinPacks bool
	// Signer signs manifests; sign.Unsigned does not.
	Signer sign.Signer
	// Environment is the name that manifests get; empty for none.
	Environment string
	// Retention decides when to delete the objects of destinations that have left the configuration.
	Retention plan.Retention
	// WritePredecessor has objects written for the predecessor's consumer in the place of ours.
	WritePredecessor bool
	// Version is written into manifests, and into the catalog.
	Version string
	// CatalogInterval is how often the catalog is written at most while nothing changes.
	CatalogInterval time.Duration

	after      func(time.Duration) <-chan time.Time // time.After if it is nil
	syncCache  syncCache
	sendingLFS keyedLocks
	indexing   sync.Mutex // of one pack at a time, because its objects' names are in memory
}
