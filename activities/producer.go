// Package activities holds the steps of the workflows: one file for each, thin over
// the libraries below internal.
package activities

import (
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
	// Settings is a fingerprint of the configuration that decides whether a branch is refused.
	Settings string
	// LastRuns are those of the side's children.
	LastRuns LastRuns
}

// Producer is what the activities of the source's side work with.
type Producer struct {
	Common

	Syncs  SyncList
	Source SourceForge
	// Recipients are the keys that objects are encrypted to.
	Recipients []age.Recipient
	// ThinPacks lets increments hold differences against what the destination has.
	ThinPacks bool
	// Signer signs manifests; sign.Unsigned leaves them as they are.
	Signer sign.Signer
	// Environment is the name that manifests are given; empty for none.
	Environment string
	// Retention decides when objects go whose sync has left the configuration.
	Retention plan.Retention
	// Version is written into manifests.
	Version string

	syncCache syncCache
}
