package activities

import (
	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// Consumer is what the activities of the destination's side work with.
type Consumer struct {
	Destination *smarthttp.Client
	Bucket      *bucket.Bucket
	Staging     *staging.Area
	// Identities are the keys that objects are decrypted with.
	Identities []age.Identity
	// Host is the task queue of this worker alone.
	Host string
}
