package stack

import (
	"fmt"
	"os"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

const graphQLUser = "graphql-reader"

// WorkerEnviron is the whole environment of a side's worker: what the documentation names, with the
// credentials of that side alone.
func (s *Stack) WorkerEnviron(role Role) []string {
	git := s.Source
	keys := []string{
		"PUBLIC_KEY=" + s.Identity.Recipient().String(),
		"GRAPHQL_SERVER=" + s.graphql.URL(),
		"GRAPHQL_USERNAME=" + graphQLUser,
		"GRAPHQL_PASSWORD=" + s.graphQLPassword,
		"SIGNING_KEY=" + s.signingKey,
		"PRUNE_AFTER=0s", // cycles that are run by hand remember nothing of those before
	}
	if role == Consumer {
		git = s.Destination
		keys = []string{
			"PRIVATE_KEY=" + s.Identity.String(), "VERIFY_KEYS=" + s.verifyKey,
			"POLL_INTERVAL=0", // nothing happens between the cycles that are run
		}
	}
	return append(append(s.temporalEnviron(role), keys...),
		"AWS_ACCESS_KEY_ID="+s.users[role].AccessKey,
		"AWS_SECRET_ACCESS_KEY="+s.users[role].SecretKey,
		"AWS_REGION="+s3server.Region,
		"AWS_S3_BUCKET="+BucketName,
		"AWS_ENDPOINT_URL_S3="+s.S3.URL(),
		"AWS_S3_USE_PATH_STYLE=true",
		"GITLAB_BASE_URL="+git.URL(),
		"GITLAB_USERNAME="+git.Credentials.User,
		"GITLAB_TOKEN="+git.Credentials.Password,
		"WORKDIR="+s.WorkDir(role),
		"TEMPORAL_UI_URL="+s.Temporal.UI,
	)
}

// StarterCommand is how a person runs the starter for a side, up to its flags.
func (s *Stack) StarterCommand(role Role) string {
	return fmt.Sprintf("TEMPORAL_ADDRESS=%s TEMPORAL_NAMESPACE=%s bin/starter -role %s", s.Temporal.Address, role, role)
}

func (s *Stack) temporalEnviron(role Role) []string {
	return append(s.baseEnviron(), "TEMPORAL_ADDRESS="+s.Temporal.Address, "TEMPORAL_NAMESPACE="+string(role))
}

// NoExitSleep has programs with the race detector exit at once: they wait for a second otherwise.
const NoExitSleep = "GORACE=atexit_sleep_ms=0"

// baseEnviron has a home directory of its own, so that nobody's configuration files are read.
func (s *Stack) baseEnviron() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.homeDir(), "TMPDIR=" + s.tempDir(), NoExitSleep}
}
