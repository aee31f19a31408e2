// Package config reads a worker's configuration from its environment and validates it as a whole: one message names
// everything that is missing or malformed, and quotes no secret.
//
// A variable is a field of Producer, Consumer or Common, with the type that it is used as. Its tags are those of
// package env, and two of this package: form is a key of forms, and guard marks what must not be set to nothing.
package config

import (
	"net/http"
	"net/url"
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/notify"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/webhook"
)

// Common is the configuration that the workers of both roles need.
type Common struct {
	// These three may be absent if the AWS SDK finds credentials elsewhere, such as a role of the machine.
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID" form:"token"`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY" form:"secret token"`
	SessionToken    string `env:"AWS_SESSION_TOKEN" form:"secret token"`
	Region          string `env:"AWS_REGION,notEmpty"`

	Bucket string `env:"AWS_S3_BUCKET,notEmpty"`
	// PathStyle puts the bucket's name into the path of URLs, as most S3 servers other than AWS need it.
	PathStyle bool `env:"AWS_S3_USE_PATH_STYLE"`

	GitLab         *url.URL `env:"GITLAB_BASE_URL,notEmpty"`
	GitLabUsername string   `env:"GITLAB_USERNAME,notEmpty" form:"user"`
	GitLabToken    string   `env:"GITLAB_TOKEN,notEmpty" form:"secret token"`

	// GitLabMaxRate is how many requests a second go to GitLab at most; 0 for any number.
	GitLabMaxRate float64 `env:"GITLAB_MAX_RATE"`

	// HTTP trusts the system's certificates, and those in the PEM file that the variable names.
	HTTP *http.Client `env:"INTERNAL_GIT_CA_PATH" form:"path"`
	// AllowPlainHTTP accepts that credentials go over plain HTTP to other hosts than this one.
	AllowPlainHTTP bool `env:"ALLOW_PLAIN_HTTP"`

	// Environment names the two sides that share the bucket; archive.AnyEnvironment when it is not set. A consumer that
	// has one takes only objects that were made for it.
	Environment archive.Environment `env:"ENVIRONMENT" guard:"true"`

	// RequireSignatures refuses to start without keys to sign or verify objects with.
	RequireSignatures bool `env:"REQUIRE_SIGNATURES" guard:"true"`

	WorkDir string `env:"WORKDIR" form:"path"`
	// MaxConcurrent is how many activities of the role's task queue a worker runs at a time.
	MaxConcurrent int `env:"MAX_CONCURRENT" envDefault:"8"`
	// LocalActivityMaxSize is up to how many bytes of files the steps that need nothing else are local activities.
	LocalActivityMaxSize BytesOrNone `env:"LOCAL_ACTIVITY_MAX_SIZE" envDefault:"1MB"`
	// DrainTimeout is how long a worker that was told to stop lets running steps finish.
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT" envDefault:"30s"`
	Probes
	// StatusPage has the state of all syncs served to people at HealthAddress.
	StatusPage bool `env:"STATUS_PAGE"`
	UI
	// NotifyURL is where people are told what has changed, in the shape of NotifyFormat; nil for nowhere.
	NotifyURL    *NotifyURL    `env:"NOTIFY_URL" form:"secret url"`
	NotifyFormat notify.Format `env:"NOTIFY_FORMAT" envDefault:"json"`
	Logging
	// LFS has Git LFS objects synced with the commits that need them, where the side's server has Git LFS.
	LFS bool `env:"LFS" envDefault:"true"`
	// Shard is what the metrics of cycles call this installation.
	Shard string `env:"INSTANCE_SHARD" envDefault:"fedramp"`

	// Traces says how traces leave the worker, if they do.
	Traces TraceExporter `env:"-"`
	// Temporal is the environment for Temporal's SDK to read.
	Temporal Environ `env:"-"`
}

// Producer is the configuration of a worker on the source's side.
type Producer struct {
	Common

	// Either GraphQL or SyncsFile says where the wanted syncs are listed; the other is nil or empty.
	GraphQL         *url.URL `env:"GRAPHQL_SERVER"`
	GraphQLUsername string   `env:"GRAPHQL_USERNAME" form:"any user"`
	GraphQLPassword string   `env:"GRAPHQL_PASSWORD" form:"password"`
	// Query replaces the built-in GraphQL query unless it is empty.
	Query Query `env:"GRAPHQL_QUERY_FILE" form:"path"`
	// SyncsFile is read anew in each cycle.
	SyncsFile string `env:"SYNCS_FILE" form:"path"`

	Recipients []age.Recipient `env:"PUBLIC_KEY,notEmpty" form:"list"`
	// Signer has a minisign secret key without a password; sign.Unsigned when it is not set.
	Signer sign.Signer `env:"SIGNING_KEY" form:"secret list" guard:"true"`
	// KMSKeyID makes S3 encrypt objects with that key of its key management service.
	KMSKeyID string `env:"AWS_S3_SSE_KMS_KEY_ID"`
	// ThinPacks has to be switched off for destinations that do not accept thin packs.
	ThinPacks bool `env:"THIN_PACKS" envDefault:"true"`
	// WritePredecessor has objects written for the consumer of this software's predecessor, in the place of ours. It verifies nothing.
	WritePredecessor bool `env:"WRITE_PREDECESSOR"`
	// MaxPruneShare is the largest share (0 to 1) of the bucket's destinations whose objects are deleted within
	// PruneAfter because they have left the configuration.
	MaxPruneShare float64 `env:"PRUNE_MAX_SHARE" envDefault:"0.5"`
	// PruneAfter is how long a destination has to be absent from the configuration before its objects are deleted.
	PruneAfter time.Duration `env:"PRUNE_AFTER" envDefault:"24h"`
	// MaxLFSProjectSize bounds the LFS objects of a destination project in the bucket; there is no bound if it is 0.
	MaxLFSProjectSize Bytes `env:"LFS_MAX_PROJECT_SIZE"`
	// CatalogInterval is how often the catalog is written at most while nothing changes.
	CatalogInterval time.Duration `env:"CATALOG_INTERVAL" envDefault:"1m"`

	// WebhookAddress is where forges deliver push events; empty for nowhere.
	WebhookAddress Address `env:"WEBHOOK_ADDRESS"`
	// WebhookSecrets are what those know who may.
	WebhookSecrets webhook.Secrets `env:"WEBHOOK_SECRETS" form:"secret list"`
}

// Consumer is the configuration of a worker on the destination's side.
type Consumer struct {
	Common

	Identities []age.Identity `env:"PRIVATE_KEY,notEmpty" form:"secret list"`
	// Verifier has the minisign public keys of the trusted producers; sign.Unverified when it is not set.
	Verifier sign.Verifier `env:"VERIFY_KEYS" form:"list" guard:"true"`
	// MaxCatalogAge is how old the producer's catalog may be; 0 goes by what the catalog says of the producer's interval.
	MaxCatalogAge time.Duration `env:"CATALOG_MAX_AGE"`
	// ReadPredecessor has objects pushed that the predecessor of this software has made. Nobody signs those.
	ReadPredecessor bool `env:"READ_PREDECESSOR"`
	// PushPolicy is Overwrite, for mirrors, or FastForward.
	PushPolicy PushPolicy `env:"PUSH_POLICY" envDefault:"overwrite" guard:"true"`
	// Allow has the projects (group/name) and groups (group/*) that may be pushed to; project.AllowAll when it is not set.
	Allow project.Allowlist `env:"ALLOWED_DESTINATIONS" form:"list" guard:"true"`
	// CreateProjects lets pushes create the allowed projects that do not exist.
	CreateProjects bool `env:"CREATE_PROJECTS"`
	// GitLabAPI lets the groups of such projects be created, too.
	GitLabAPI bool `env:"GITLAB_API"`
	// DeleteRefs deletes refs of a set at the destination that have gone from the source.
	DeleteRefs bool `env:"DELETE_REFS" envDefault:"true"`
	// MaxDeletedShare is the largest share (0 to 1) of a set's refs that one push deletes.
	MaxDeletedShare float64 `env:"DELETE_REFS_MAX_SHARE" envDefault:"0.5"`
	// PollInterval is how often the bucket is asked whether the producer's catalog has changed; never if it is 0.
	PollInterval time.Duration `env:"POLL_INTERVAL" envDefault:"10s"`
}

// LoadProducer reads the configuration from environ, which has the shape of os.Environ.
func LoadProducer(environ []string) (Producer, error) { return load(environ, (*Producer).complete) }

// LoadConsumer reads the configuration from environ, which has the shape of os.Environ.
func LoadConsumer(environ []string) (Consumer, error) { return load(environ, (*Consumer).complete) }
