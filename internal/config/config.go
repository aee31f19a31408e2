// Package config reads a worker's configuration from its environment and validates it whole:
// one message names everything that is missing or malformed, and no secret's value.
package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/caarlos0/env/v11"

	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// Side is what both sides' workers need.
type Side struct {
	// The AWS SDK reads these itself. They may be absent where it finds credentials
	// elsewhere, as with a role of the machine.
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID"`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY"`
	Region          string `env:"AWS_REGION,notEmpty"`

	Bucket string `env:"AWS_S3_BUCKET,notEmpty"`
	// PathStyle addresses the bucket in the path of URLs, as most S3 servers other
	// than AWS need.
	PathStyle bool `env:"AWS_S3_USE_PATH_STYLE"`

	GitLabURL      string `env:"GITLAB_BASE_URL,notEmpty"`
	GitLabUsername string `env:"GITLAB_USERNAME,notEmpty"`
	GitLabToken    string `env:"GITLAB_TOKEN,notEmpty"`

	WorkDir string `env:"WORKDIR"`
	// MaxConcurrent is how many activities of the shared task queue a worker runs at a time.
	MaxConcurrent int `env:"MAX_CONCURRENT" envDefault:"8"`
	// DrainTimeout is how long a worker that was told to stop lets running steps finish.
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT" envDefault:"30s"`

	// BaseURL is GitLabURL, parsed.
	BaseURL *url.URL `env:"-"`
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
	// ThinPacks is switched off for destinations that do not accept thin packs.
	ThinPacks bool `env:"THIN_PACKS" envDefault:"true"`
	// MaxPruneShare is the largest share of the bucket's destinations whose objects are
	// deleted in one cycle because they have left the configuration.
	MaxPruneShare float64 `env:"PRUNE_MAX_SHARE" envDefault:"0.5"`

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
	// Verifier is VerifyKeys, parsed; empty without any.
	Verifier sign.Verifier `env:"-"`
	// Allow is AllowedDestinations, parsed.
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
	c, problems := load[Producer](environ)
	problems = append(problems, c.Side.check()...)
	if err := checkURL(c.GraphQLServer); err != nil {
		problems = append(problems, fmt.Errorf("GRAPHQL_SERVER %w", err))
	}
	if c.MaxPruneShare < 0 || c.MaxPruneShare > 1 {
		problems = append(problems, fmt.Errorf("PRUNE_MAX_SHARE is %g, not between 0 and 1", c.MaxPruneShare))
	}
	var err error
	if c.Query, err = readQuery(c.QueryFile); err != nil {
		problems = append(problems, fmt.Errorf("GRAPHQL_QUERY_FILE: %w", err))
	}
	problems = append(problems,
		parse("PUBLIC_KEY", c.PublicKey, crypt.ParseRecipients, &c.Recipients),
		parse("SIGNING_KEY", c.SigningKey, sign.ParseSigner, &c.Signer))
	return c, join(problems)
}

// LoadConsumer reads the configuration from environ, which has the shape of os.Environ.
func LoadConsumer(environ []string) (Consumer, error) {
	c, problems := load[Consumer](environ)
	problems = append(problems, c.Side.check()...)
	if c.PushPolicy != PolicyOverwrite && c.PushPolicy != PolicyFastForward {
		problems = append(problems, fmt.Errorf("PUSH_POLICY is %q, not %s or %s", c.PushPolicy, PolicyOverwrite, PolicyFastForward))
	}
	problems = append(problems,
		parse("PRIVATE_KEY", c.PrivateKey, crypt.ParseIdentities, &c.Identities),
		parse("VERIFY_KEYS", c.VerifyKeys, sign.ParseVerifier, &c.Verifier),
		parse("ALLOWED_DESTINATIONS", c.AllowedDestinations, project.ParseAllowlist, &c.Allow))
	return c, join(problems)
}

// parse reads a variable that has a form of its own. "@/path" stands for a file's content. An
// empty one is left alone: it is optional, or has been reported as missing.
func parse[T any](name, value string, how func(string) (T, error), into *T) error {
	if path, ok := strings.CutPrefix(value, "@"); ok {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		value = string(content)
	}
	if value == "" {
		return nil
	}
	parsed, err := how(value)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*into = parsed
	return nil
}

func (s *Side) check() (problems []error) {
	if (s.AccessKeyID == "") != (s.SecretAccessKey == "") {
		problems = append(problems, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: only one is set"))
	}
	if err := checkURL(s.GitLabURL); err != nil {
		problems = append(problems, fmt.Errorf("GITLAB_BASE_URL %w", err))
	} else {
		s.BaseURL, _ = url.Parse(s.GitLabURL)
	}
	if s.MaxConcurrent < 1 {
		problems = append(problems, fmt.Errorf("MAX_CONCURRENT is %d, less than 1", s.MaxConcurrent))
	}
	if s.WorkDir == "" {
		s.WorkDir = filepath.Join(os.TempDir(), "git-partition-sync")
	}
	return problems
}

// checkURL never quotes the URL: it may have been given a password.
func checkURL(raw string) error {
	if raw == "" {
		return nil // reported as missing
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return errors.New("is not an http or https URL")
	case u.User != nil:
		return errors.New("has credentials in it: they have variables of their own")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("has a query or fragment")
	}
	return nil
}

func readQuery(file string) (string, error) {
	explicit := file != ""
	if !explicit {
		file = defaultQueryFile
	}
	query, err := os.ReadFile(file)
	if !explicit && errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(query), err
}

// load parses the environment. What cannot be parsed is named by its variable.
func load[T any](environ []string) (T, []error) {
	c, err := env.ParseAsWithOptions[T](env.Options{Environment: env.ToMap(environ)})
	var all env.AggregateError
	if !errors.As(err, &all) {
		if err != nil {
			return c, []error{err}
		}
		return c, nil
	}
	var problems []error
	for _, err := range all.Errors {
		var empty env.EmptyVarError
		var parse env.ParseError
		switch {
		case errors.As(err, &empty):
			problems = append(problems, fmt.Errorf("%s is not set", empty.Key))
		case errors.As(err, &parse):
			problems = append(problems, fmt.Errorf("%s is not a valid %s", variable(c, parse.Name), parse.Type))
		default:
			problems = append(problems, err)
		}
	}
	return c, problems
}

func variable(c any, field string) string {
	f, ok := reflect.TypeOf(c).FieldByName(field)
	if !ok {
		return field
	}
	name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
	return name
}

func join(problems []error) error {
	var texts []string
	for _, p := range problems {
		if p != nil {
			texts = append(texts, p.Error())
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New("configuration:\n  " + strings.Join(texts, "\n  "))
}
