// Package config reads a worker's configuration from its environment and validates it whole:
// one message names everything that is missing or malformed, and no secret's value.
package config

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// Side is what both sides' workers need.
type Side struct {
	// These three may be absent where the AWS SDK finds credentials elsewhere, as with a role of
	// the machine.
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID"`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY"`
	SessionToken    string `env:"AWS_SESSION_TOKEN"`
	// Region is read by the SDK itself.
	Region string `env:"AWS_REGION,notEmpty"`

	Bucket string `env:"AWS_S3_BUCKET,notEmpty"`
	// PathStyle addresses the bucket in the path of URLs, as most S3 servers other
	// than AWS need.
	PathStyle bool `env:"AWS_S3_USE_PATH_STYLE"`

	GitLabURL      string `env:"GITLAB_BASE_URL,notEmpty"`
	GitLabUsername string `env:"GITLAB_USERNAME,notEmpty"`
	GitLabToken    string `env:"GITLAB_TOKEN,notEmpty"`

	// CAPath is a file of PEM certificates that are trusted besides the system's.
	CAPath string `env:"INTERNAL_GIT_CA_PATH"`
	// AllowPlainHTTP lets credentials go over plain HTTP to hosts other than this one.
	AllowPlainHTTP bool `env:"ALLOW_PLAIN_HTTP"`

	// EnvironmentName names the pair of sides that share the bucket. With it, a consumer takes no other's objects.
	EnvironmentName string `env:"ENVIRONMENT"`

	// RequireSignatures refuses to start without the keys that sign or verify objects.
	RequireSignatures bool `env:"REQUIRE_SIGNATURES"`

	WorkDir string `env:"WORKDIR"`
	// MaxConcurrent is how many activities of the shared task queue a worker runs at a time.
	MaxConcurrent int `env:"MAX_CONCURRENT" envDefault:"8"`
	// DrainTimeout is how long a worker that was told to stop lets running steps finish.
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT" envDefault:"30s"`
	// HealthAddress is the host and port where probes and metrics are served; empty for nowhere.
	HealthAddress string `env:"HEALTH_ADDRESS"`

	// Temporal is the environment for Temporal's SDK to read.
	Temporal Environ `env:"-"`
	// Environment is EnvironmentName, parsed; archive.AnyEnvironment without one.
	Environment archive.Environment `env:"-"`
	// BaseURL is GitLabURL, parsed.
	BaseURL *url.URL `env:"-"`
	// HTTP trusts the system's certificates and those of CAPath.
	HTTP *http.Client `env:"-"`
}

// Producer is the configuration of a worker at the source's side.
type Producer struct {
	Side

	GraphQLServer   string `env:"GRAPHQL_SERVER,notEmpty"`
	GraphQLUsername string `env:"GRAPHQL_USERNAME"`
	GraphQLPassword string `env:"GRAPHQL_PASSWORD"`
	QueryFile       string `env:"GRAPHQL_QUERY_FILE"`

	PublicKey string `env:"PUBLIC_KEY,notEmpty"`
	// SigningKey is a minisign secret key without a password.
	SigningKey string `env:"SIGNING_KEY"`
	// KMSKeyID makes S3 encrypt objects with that key of its key management service.
	KMSKeyID string `env:"AWS_S3_SSE_KMS_KEY_ID"`
	// ThinPacks is switched off for destinations that do not accept thin packs.
	ThinPacks bool `env:"THIN_PACKS" envDefault:"true"`
	// MaxPruneShare is the largest share of the bucket's destinations whose objects are
	// deleted within PruneAfter because they have left the configuration.
	MaxPruneShare float64 `env:"PRUNE_MAX_SHARE" envDefault:"0.5"`
	// PruneAfter is how long a destination has to be absent from the configuration before that.
	PruneAfter time.Duration `env:"PRUNE_AFTER" envDefault:"24h"`

	// Query replaces the built-in GraphQL query unless it is empty.
	Query string `env:"-"`
	// Recipients is PublicKey, parsed.
	Recipients []age.Recipient `env:"-"`
	// Signer is SigningKey, parsed; nil without one.
	Signer *sign.Signer `env:"-"`
}

// Consumer is the configuration of a worker at the destination's side.
type Consumer struct {
	Side

	PrivateKey string `env:"PRIVATE_KEY,notEmpty"`
	// VerifyKeys are the minisign public keys of the producers that are trusted.
	VerifyKeys string `env:"VERIFY_KEYS"`
	// PushPolicy is "overwrite", for mirrors, or "fast-forward".
	PushPolicy string `env:"PUSH_POLICY" envDefault:"overwrite"`
	// AllowedDestinations are the projects (group/name) and groups (group/*) that may be
	// pushed to; empty allows all.
	AllowedDestinations string `env:"ALLOWED_DESTINATIONS"`

	// Identities is PrivateKey, parsed.
	Identities []age.Identity `env:"-"`
	// Verifier is VerifyKeys, parsed; sign.Unverified without any.
	Verifier sign.Verifier `env:"-"`
	// Allow is AllowedDestinations, parsed; project.AllowAll without any.
	Allow project.Allowlist `env:"-"`
}

// Values of PUSH_POLICY.
const (
	PolicyOverwrite   = "overwrite"
	PolicyFastForward = "fast-forward"
)

// defaultQueryFile is read when GRAPHQL_QUERY_FILE is not set and this file exists.
const defaultQueryFile = "/query.graphql"

// LoadProducer reads the configuration from environ, which has the shape of os.Environ.
func LoadProducer(environ []string) (Producer, error) {
	c, v, problems := load[Producer](environ)
	problems = append(problems, c.check(v, environ)...)
	problems = append(problems,
		v.credential("GRAPHQL_USERNAME", &c.GraphQLUsername),
		v.credential("GRAPHQL_PASSWORD", &c.GraphQLPassword))
	if err := c.checkURL(c.GraphQLServer, c.GraphQLUsername+c.GraphQLPassword != ""); err != nil {
		problems = append(problems, fmt.Errorf("GRAPHQL_SERVER %w", err))
	}
	if !(c.MaxPruneShare >= 0 && c.MaxPruneShare <= 1) { // written so that NaN, which limits nothing, is refused, too
		problems = append(problems, fmt.Errorf("PRUNE_MAX_SHARE is %g, not between 0 and 1", c.MaxPruneShare))
	}
	if c.PruneAfter < 0 {
		problems = append(problems, fmt.Errorf("PRUNE_AFTER is %s, less than 0", c.PruneAfter))
	}
	var err error
	if c.Query, err = readQuery(c.QueryFile); err != nil {
		problems = append(problems, fmt.Errorf("GRAPHQL_QUERY_FILE: %w", err))
	}
	problems = append(problems,
		parse(v, "PUBLIC_KEY", crypt.ParseRecipients, &c.Recipients),
		parse(v, "SIGNING_KEY", sign.ParseSigner, &c.Signer),
		v.protects("SIGNING_KEY"))
	if c.RequireSignatures && c.SigningKey == "" {
		problems = append(problems, errors.New("SIGNING_KEY is not set, and REQUIRE_SIGNATURES=true asks for it"))
	}
	return c, join(problems)
}

// LoadConsumer reads the configuration from environ, which has the shape of os.Environ.
func LoadConsumer(environ []string) (Consumer, error) {
	c, v, problems := load[Consumer](environ)
	problems = append(problems, c.check(v, environ)...)
	if c.PushPolicy != PolicyOverwrite && c.PushPolicy != PolicyFastForward {
		problems = append(problems, fmt.Errorf("PUSH_POLICY is %q, not %s or %s", c.PushPolicy, PolicyOverwrite, PolicyFastForward))
	}
	problems = append(problems,
		parse(v, "PRIVATE_KEY", crypt.ParseIdentities, &c.Identities),
		parse(v, "VERIFY_KEYS", sign.ParseVerifier, &c.Verifier),
		v.protects("VERIFY_KEYS"),
		parse(v, "ALLOWED_DESTINATIONS", project.ParseAllowlist, &c.Allow),
		v.protects("ALLOWED_DESTINATIONS"),
		v.protects("PUSH_POLICY"))
	// Only what nobody has set is open.
	if _, set := v["VERIFY_KEYS"]; !set {
		c.Verifier = sign.Unverified()
	}
	if _, set := v["ALLOWED_DESTINATIONS"]; !set {
		c.Allow = project.AllowAll()
	}
	if c.RequireSignatures && c.VerifyKeys == "" {
		problems = append(problems, errors.New("VERIFY_KEYS is not set, and REQUIRE_SIGNATURES=true asks for it"))
	}
	return c, join(problems)
}
