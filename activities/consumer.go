package activities

import (
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// Consumer is what the activities of the destination's side work with.
type Consumer struct {
	Destination DestinationForge
	Bucket      *bucket.Bucket
	Staging     *staging.Area
	// Identities are the keys that objects are decrypted with.
	Identities []age.Identity
	// Verifier trusts the keys that manifests are signed with; sign.Unverified says that there are none.
	Verifier sign.Verifier
	// Environment is the one that objects must be made for; archive.AnyEnvironment says that it does not matter.
	Environment archive.Environment
	// Allow is which projects may be pushed to; project.AllowAll says that the token decides.
	Allow project.Allowlist
	// FastForwardOnly is the policy not to overwrite what the destination has.
	FastForwardOnly bool
	// Host is the task queue of this worker alone.
	Host string
	// Now is the clock. Nil is the system's.
	Now func() time.Time
	// Settings is a fingerprint of the configuration that decides whether a push is refused.
	Settings string
	// LastRuns are those of ConsumeProject.
	LastRuns LastRuns
}

// Unverified is the warning that comes with everything a consumer without keys does.
const Unverified = "signatures are not verified: set VERIFY_KEYS, or whoever can write to the bucket can push code"

func (c *Consumer) warning() string {
	if !c.Verifier.Verifies() {
		return Unverified
	}
	return ""
}
