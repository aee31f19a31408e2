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

// Producer is what the activities of the source's side work with.
type Producer struct {
	Syncs   SyncList
	Source  SourceForge
	Bucket  *bucket.Bucket
	Staging *staging.Area
	// Recipients are the keys that objects are encrypted to.
	Recipients []age.Recipient
	// ThinPacks lets increments hold differences against what the destination has.
	ThinPacks bool
	// Host is the task queue of this worker alone.
	Host string
	// Signer signs manifests; sign.Unsigned leaves them as they are.
	Signer sign.Signer
	// Environment is the name that manifests are given; empty for none.
	Environment string
	// Retention decides when objects go whose sync has left the configuration.
	Retention plan.Retention
	// Clock is time.Now.
	Clock func() time.Time
	// Version is written into manifests.
	Version string
	// Settings is a fingerprint of the configuration that decides whether an upload is refused.
	Settings string
	// LastRuns are those of ProduceProject.
	LastRuns LastRuns

	syncCache syncCache
}
