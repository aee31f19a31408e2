package activities

import (
	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// Consumer is what the activities of the destination's side work with.
type Consumer struct {
	Common

	Destination DestinationForge
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
}

// Unverified is the warning that comes with everything a consumer without keys does.
const Unverified = "signatures are not verified: set VERIFY_KEYS, or whoever can write to the bucket can push code"

func (c *Consumer) warning() string {
	if !c.Verifier.Verifies() {
		return Unverified
	}
	return ""
}
