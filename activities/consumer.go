package activities

import (
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// Consumer is what the activities on the destination's side work with.
type Consumer struct {
	Common

	Destination DestinationForge
	// LFS is the destinations' LFS server. If it is nil, commits are pushed without their LFS objects.
	LFS LFSDestination
	// Identities are the keys that decrypt objects.
	Identities []age.Identity
	// Verifier verifies the signatures of manifests; sign.Unverified does not.
	Verifier sign.Verifier
	// Environment is the environment that objects must be made for; archive.AnyEnvironment accepts all.
	Environment archive.Environment
	// Allow says which projects may be pushed to; project.AllowAll leaves that to the token.
	Allow project.Allowlist
	// MaxCatalogAge is how old the producer's catalog may be; 0 goes by how often the producer means to write one.
	MaxCatalogAge time.Duration
	// ReadPredecessor has the consumer push objects of the predecessor, which nobody has signed. It has no effect where
	// signatures are verified.
	ReadPredecessor bool
	// FastForwardOnly refuses pushes that would drop commits of the destination.
	FastForwardOnly bool
	// CreateProjects pushes to allowed projects that do not exist, which creates them.
	CreateProjects bool
	// Groups creates the groups of projects that are created. If it is nil, they have to exist.
	Groups GroupForge
	// DeleteRefs deletes refs of a set that this software has put to the destination, when they have gone from the source.
	DeleteRefs bool
	// MaxDeletedShare is the largest share (0 to 1) of a set's refs there that one push deletes, if there are more than 10 to
	// delete. Of more, it deletes none.
	MaxDeletedShare float64
	// PollInterval is how often the bucket is asked whether the producer's catalog has changed; never if it is 0.
	PollInterval time.Duration

	watch      catalogWatch
	sendingLFS keyedLocks // by project and OID
}

// Unverified is the warning on everything that a consumer without verification keys does.
const Unverified = "signatures are not verified: set VERIFY_KEYS, or whoever can write to the bucket can push code"

func (c *Consumer) warning() string {
	if !c.Verifier.Verifies() {
		return Unverified
	}
	return ""
}
