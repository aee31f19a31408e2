package service

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/notify"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/internal/version"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// role is the configuration of a worker: what both roles have, and what each adds.
type role struct {
	config.Common
	contract.Role
	workflows func(workflows.Registry)
	// redirects are the projects to which a redirect of a renamed project may lead.
	redirects project.Allowlist
	// kmsKeyID is the key with which the store encrypts objects; empty for its default.
	kmsKeyID string
	// settings are those that decide whether a branch is refused.
	settings []any
	// configuration is all of it, for the log; warning says what is wrong with it.
	configuration any
	warning       string
	// hook is where deliveries of webhooks are taken, if anywhere.
	hook hook
	// activities returns the role's activities.
	activities func(dependencies) any
}

// roles are functions that read a role's configuration from an environment.
var roles = map[string]func(environ []string) (role, error){contract.Producer.Name: producer, contract.Consumer.Name: consumer}

// dependencies are what the activities of both roles work with.
type dependencies struct {
	git *smarthttp.Client
	lfs *lfsapi.Client // nil if LFS objects are left out
	activities.Common
}

// connect makes what the role's activities need to plan. It connects to nothing yet.
func (r role) connect(ctx context.Context, logger *slog.Logger) (dependencies, error) {
	store, err := r.openBucket(ctx, logger)
	if err != nil {
		return dependencies{}, err
	}
	if r.warning != "" {
		logger.Warn(r.warning)
	}
	gitLab := httpclient.AtMost(r.GitLabMaxRate, r.HTTP) // for both together
	return dependencies{git: r.gitServer(gitLab), lfs: r.lfsServer(gitLab), Common: activities.Common{
		Bucket: store, Clock: time.Now, LocalActivityMaxSize: int64(r.LocalActivityMaxSize), Settings: r.fingerprint(), Notifier: r.notifier(),
	}}, nil
}

// notifier is nil if nobody is to be told.
func (r role) notifier() *activities.Notifier {
	if r.NotifyURL == nil {
		return nil
	}
	to := notify.Receiver{URL: url.URL(*r.NotifyURL), Format: r.NotifyFormat, HTTP: r.HTTP, Agent: version.Agent()}
	return &activities.Notifier{Receiver: to, Environment: r.Environment.Name(), Link: r.UI.Workflow}
}

// open makes what the role's activities work with, except for what needs Temporal.
func (r role) open(ctx context.Context, logger *slog.Logger) (dependencies, error) {
	d, err := r.connect(ctx, logger)
	if err != nil {
		return d, err
	}
	if d.Staging, err = staging.Open(ctx, r.WorkDir, logger); err != nil {
		return d, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	// A worker that is started again has another task queue of its own: the files of the one before are gone.
	d.Host = r.TaskQueue + "/" + host + "/" + d.Staging.ID()
	return d, nil
}

// hostQueue is the queue of the worker on this host that has the folder of that name.
func (d dependencies) hostQueue(folder string) string {
	return strings.TrimSuffix(d.Host, d.Staging.ID()) + folder
}

// openBucket opens the bucket with the credentials of the environment, if there are any, and warns if others could
// listen on the way.
func (r role) openBucket(ctx context.Context, logger *slog.Logger) (*bucket.Bucket, error) {
	// The SDK would read the same variables, but cannot read files, and keeps white space at the ends of values.
	load := []func(*awsconfig.LoadOptions) error{awsconfig.WithRegion(r.Region)}
	if r.AccessKeyID != "" {
		load = append(load, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(r.AccessKeyID, r.SecretAccessKey, r.SessionToken)))
	}
	store, err := bucket.Open(ctx, bucket.Options{Name: r.Bucket, PathStyle: r.PathStyle, KMSKeyID: r.kmsKeyID}, load...)
	if err != nil {
		return nil, err
	}
	if warning := plaintextStoreWarning(store.Endpoint()); warning != "" {
		logger.Warn(warning, "endpoint", store.Endpoint())
	}
	return store, nil
}

// gitServer returns the client of the side's GitLab.
func (r role) gitServer(gitLab *http.Client) *smarthttp.Client {
	return smarthttp.New(smarthttp.Options{
		Forge:           gitlab.At(r.GitLab),
		Username:        r.GitLabUsername,
		Password:        r.GitLabToken,
		HTTP:            gitLab,
		Agent:           version.Agent(),
		AllowRedirectTo: r.redirects.AllowsPath,
	})
}

// lfsServer returns the client of the same GitLab's LFS server; nil if LFS objects are left out.
func (r role) lfsServer(gitLab *http.Client) *lfsapi.Client {
	if !r.LFS {
		return nil
	}
	return lfsapi.New(lfsapi.Options{
		Forge:           gitlab.At(r.GitLab),
		Username:        r.GitLabUsername,
		Password:        r.GitLabToken,
		HTTP:            gitLab,
		Agent:           version.Agent(),
		AllowRedirectTo: r.redirects.AllowsPath,
	})
}

// fingerprint is of what in the configuration decides whether a branch is refused, without secrets: one
// that was refused is tried again at once when a worker says something else.
func (r role) fingerprint() string {
	return fmt.Sprintf("%v", append([]any{version.Agent(), r.GitLab, r.GitLabUsername, r.Bucket, r.Environment.Name()}, r.settings...))
}
