package service

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a worker has verified under its own settings is pushed by nobody else: the one that takes its place with others, such as
// with VERIFY_KEYS, has another queue and none of its files, so that the run starts over.
func TestRestartedWorkerTakesNoStepsOfTheOneBefore(t *testing.T) {
	r, err := consumer([]string{
		"PRIVATE_KEY=" + identity(t).String(), "GITLAB_BASE_URL=https://gitlab.example.com", "GITLAB_USERNAME=u", "GITLAB_TOKEN=t",
		"AWS_REGION=r", "AWS_S3_BUCKET=b", "WORKDIR=" + t.TempDir(),
	})
	require.NoError(t, err)
	var hosts []string
	for range 2 {
		d, err := r.open(t.Context(), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.NotContains(t, hosts, d.Host)
		hosts = append(hosts, d.Host)
		require.NoError(t, d.Staging.Close())
	}
}
