package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/notify"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
)

// maxRate is more than a worker ever asks.
const maxRate = 100_000

// maxLocalActivity is what a busy disk still takes within the time of a local activity.
const maxLocalActivity = 64_000_000

// The complete methods give a meaning to variables that are not set; only those may open something. A variable that is set
// but could not be read stays zero, which opens nothing.

func (s *Common) complete(v variables) (problems []error) {
	if !v.isSet("ENVIRONMENT") {
		s.Environment = archive.AnyEnvironment()
	}
	if s.HTTP == nil {
		s.HTTP = httpclient.New(nil)
	}
	if s.WorkDir == "" {
		s.WorkDir = filepath.Join(os.TempDir(), "git-partition-sync")
	}
	s.Temporal, problems = v.temporal()
	var err error
	if s.Traces, err = v.tracing(); err != nil {
		problems = append(problems, err)
	}
	if v["AWS_SESSION_TOKEN"] != "" && v["AWS_ACCESS_KEY_ID"] == "" {
		problems = append(problems, errors.New("AWS_SESSION_TOKEN is set, but not the AWS_ACCESS_KEY_ID that it belongs to"))
	}
	if (v["AWS_ACCESS_KEY_ID"] == "") != (v["AWS_SECRET_ACCESS_KEY"] == "") {
		problems = append(problems, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: only one is set"))
	}
	if s.MaxConcurrent < 1 {
		problems = append(problems, fmt.Errorf("MAX_CONCURRENT is %d, less than 1", s.MaxConcurrent))
	}
	if s.GitLabMaxRate != 0 && !(s.GitLabMaxRate >= 1 && s.GitLabMaxRate <= maxRate) { // nor NaN
		problems = append(problems, fmt.Errorf("GITLAB_MAX_RATE is %g, neither 0 nor between 1 and %d", s.GitLabMaxRate, maxRate))
	}
	if s.LocalActivityMaxSize > maxLocalActivity {
		problems = append(problems, fmt.Errorf("LOCAL_ACTIVITY_MAX_SIZE is %d bytes, more than %d", s.LocalActivityMaxSize, maxLocalActivity))
	}
	if s.DrainTimeout < 0 {
		problems = append(problems, fmt.Errorf("DRAIN_TIMEOUT is %s, less than 0", s.DrainTimeout))
	}
	if s.StatusPage && s.HealthAddress == "" {
		problems = append(problems, errors.New("HEALTH_ADDRESS is not set, and STATUS_PAGE=true asks for it: that is where the page is served"))
	}
	return append(problems, s.checkPlainHTTP("GITLAB_BASE_URL", s.GitLab), s.checkNotify(v))
}

// checkNotify wants what is as good as a credential to be sent over https. An Alertmanager has no such thing in its URL.
func (s *Common) checkNotify(v variables) error {
	u := (*url.URL)(s.NotifyURL)
	switch {
	case v["NOTIFY_URL"] == "" && v["NOTIFY_FORMAT"] != "":
		return errors.New("NOTIFY_URL is not set, and NOTIFY_FORMAT is for what is sent there: set both, or none")
	case u == nil || s.NotifyFormat == notify.Alertmanager && u.User == nil && u.RawQuery == "":
		return nil
	}
	return s.checkPlainHTTP("NOTIFY_URL", u)
}

// maxCatalogInterval is how long a consumer can be left to wait for a sign of life.
const maxCatalogInterval = 24 * time.Hour

func (c *Producer) complete(v variables) []error {
	problems := append(c.Common.complete(v), checkSyncList(v))
	if c.GraphQLUsername+c.GraphQLPassword != "" {
		problems = append(problems, c.checkPlainHTTP("GRAPHQL_SERVER", c.GraphQL))
	}
	problems = append(problems, checkShare("PRUNE_MAX_SHARE", c.MaxPruneShare))
	if c.PruneAfter < 0 {
		problems = append(problems, fmt.Errorf("PRUNE_AFTER is %s, less than 0", c.PruneAfter))
	}
	if c.CatalogInterval < 0 || c.CatalogInterval > maxCatalogInterval {
		problems = append(problems, fmt.Errorf("CATALOG_INTERVAL is %s, not between 0 and %s", c.CatalogInterval, maxCatalogInterval))
	}
	if v["GRAPHQL_QUERY_FILE"] == "" && v["SYNCS_FILE"] == "" {
		var err error
		if c.Query, err = readQuery(defaultQueryFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Errorf("GRAPHQL_QUERY_FILE is not set, and its default: %w", err))
		}
	}
	if !v.isSet("SIGNING_KEY") {
		c.Signer = sign.Unsigned()
	}
	if c.RequireSignatures && !c.Signer.Signs() {
		problems = append(problems, errors.New("SIGNING_KEY is not set, and REQUIRE_SIGNATURES=true asks for it"))
	}
	return append(append(problems, c.checkWebhook()), c.checkPredecessor(v)...)
}

// checkWebhook wants deliveries of webhooks to have secrets, and secrets a use.
func (c *Producer) checkWebhook() error {
	switch served, secrets := c.WebhookAddress != "", c.WebhookSecrets.Any(); {
	case served && !secrets:
		return errors.New("WEBHOOK_SECRETS is not set, and WEBHOOK_ADDRESS asks for it: without one, anybody could deliver push events")
	case secrets && !served:
		return errors.New("WEBHOOK_ADDRESS is not set, and WEBHOOK_SECRETS is for what is delivered there: set both, or none")
	}
	return nil
}

// checkPredecessor refuses to write for the predecessor's consumer where more is asked for than it can do: it knows neither signatures nor
// environments, and has one X25519 identity.
func (c *Producer) checkPredecessor(v variables) (problems []error) {
	if !c.WritePredecessor {
		return nil
	}
	for _, other := range []struct {
		name, do string
		counts   bool
	}{
		{"SIGNING_KEY", "unset it", v.isSet("SIGNING_KEY")},
		{"REQUIRE_SIGNATURES=true", "unset it", c.RequireSignatures},
		{"ENVIRONMENT", "unset it", v.isSet("ENVIRONMENT")},
		{"a post-quantum PUBLIC_KEY", "name the age1... key of the consumer", slices.ContainsFunc(c.Recipients, isPostQuantum)},
	} {
		if other.counts {
			problems = append(problems, fmt.Errorf("WRITE_PREDECESSOR=true does not go together with %s, which the predecessor's consumer does not understand: %s until that consumer is replaced, and WRITE_PREDECESSOR taken back", other.name, other.do))
		}
	}
	return problems
}

func isPostQuantum(r age.Recipient) bool {
	_, is := r.(*age.HybridRecipient)
	return is
}

// checkSyncList wants the syncs to be listed in one place.
func checkSyncList(v variables) error {
	switch server, file := v["GRAPHQL_SERVER"] != "", v["SYNCS_FILE"] != ""; {
	case server && file:
		return errors.New("GRAPHQL_SERVER and SYNCS_FILE are both set, and the syncs are listed in one place: unset the other")
	case !server && !file:
		return errors.New("neither GRAPHQL_SERVER nor SYNCS_FILE is set: one of them says where the syncs are listed")
	}
	return nil
}

func (c *Consumer) complete(v variables) []error {
	problems := append(c.Common.complete(v), checkShare("DELETE_REFS_MAX_SHARE", c.MaxDeletedShare))
	if !v.isSet("VERIFY_KEYS") {
		c.Verifier = sign.Unverified()
	}
	if c.PollInterval != 0 && (c.PollInterval < time.Second || c.PollInterval > time.Hour) {
		problems = append(problems, fmt.Errorf("POLL_INTERVAL is %s, neither 0 nor between 1s and 1h", c.PollInterval))
	}
	if !v.isSet("ALLOWED_DESTINATIONS") {
		c.Allow = project.AllowAll()
		if c.CreateProjects {
			problems = append(problems, errors.New("ALLOWED_DESTINATIONS is not set, and CREATE_PROJECTS=true asks for it: objects in the bucket say which projects are created"))
		}
	}
	if c.GitLabAPI && !c.CreateProjects {
		problems = append(problems, errors.New("GITLAB_API=true creates the groups of projects that CREATE_PROJECTS=true creates, and that is not set: set both, or none"))
	}
	if c.MaxCatalogAge < 0 {
		problems = append(problems, fmt.Errorf("CATALOG_MAX_AGE is %s, less than 0", c.MaxCatalogAge))
	}
	if c.RequireSignatures && !c.Verifier.Verifies() {
		problems = append(problems, errors.New("VERIFY_KEYS is not set, and REQUIRE_SIGNATURES=true asks for it"))
	}
	return append(problems, c.checkPredecessor(v)...)
}

// checkPredecessor refuses to read what nobody has signed, and what names no environment, where either counts.
func (c *Consumer) checkPredecessor(v variables) (problems []error) {
	for _, other := range []struct {
		name   string
		counts bool
	}{{"VERIFY_KEYS", v.isSet("VERIFY_KEYS")}, {"REQUIRE_SIGNATURES=true", c.RequireSignatures}, {"ENVIRONMENT", v.isSet("ENVIRONMENT")}} {
		if c.ReadPredecessor && other.counts {
			problems = append(problems, fmt.Errorf("READ_PREDECESSOR=true does not go together with %s: the predecessor's objects are not signed, and name no environment", other.name))
		}
	}
	return problems
}

// checkShare also refuses NaN, which would limit nothing.
func checkShare(name string, share float64) error {
	if share >= 0 && share <= 1 {
		return nil
	}
	return fmt.Errorf("%s is %g, not between 0 and 1", name, share)
}

// checkPlainHTTP refuses a URL over which credentials would be sent in plain text. A nil URL is accepted: its problem
// was reported before.
func (s *Common) checkPlainHTTP(name string, u *url.URL) error {
	if u == nil || u.Scheme != "http" || s.AllowPlainHTTP || IsLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s would send credentials over plain HTTP to %s: use https, or set ALLOW_PLAIN_HTTP=true if nobody can listen in between, such as within a cluster", name, u.Hostname())
}

// IsLoopback tells whether a host, without a port, is this machine.
func IsLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
