package check_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"}, cli.WithName("check"), cli.WithProfiles([]string{"*"}))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// TestComposePartition shows that only Temporal and the bucket are on both networks, and
// everything else on one or none.
func TestComposePartition(t *testing.T) {
	project := load(t)
	require.ElementsMatch(t, []string{"source", "destination"}, slices.Collect(maps.Keys(project.Networks)))
	var both []string
	for name, service := range project.Services {
		if len(service.Networks) > 1 {
			both = append(both, name)
		}
		require.NotEqual(t, "host", service.NetworkMode, name)
	}
	require.ElementsMatch(t, []string{"s3", "temporal"}, both)
}

func TestComposeListensOnLoopbackOnly(t *testing.T) {
	for name, service := range load(t).Services {
		for _, port := range service.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, name)
		}
	}
}

// TestComposeHealth leaves nothing that keeps running unwatched.
func TestComposeHealth(t *testing.T) {
	for name, service := range load(t).Services {
		require.Equal(t, service.Restart != "", service.HealthCheck != nil, name)
	}
}

func TestComposeContainment(t *testing.T) {
	for name, service := range load(t).Services {
		require.False(t, service.Privileged, name)
		if !strings.HasPrefix(service.Image, "git-partition-sync") {
			require.Regexp(t, `:v?\d+\.\d+\.\d+`, service.Image, "%s: version", name)
			continue
		}
		require.True(t, service.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, service.CapDrop, name)
		require.NotContains(t, []string{"", "root", "0"}, service.User, name)
	}
}

// TestComposeRequiresSignatures keeps a mistake in the keys from being a start without them.
func TestComposeRequiresSignatures(t *testing.T) {
	project := load(t)
	for role, key := range map[string]string{"producer": "SIGNING_KEY", "consumer": "VERIFY_KEYS"} {
		environment := project.Services[role].Environment
		require.NotNil(t, environment["REQUIRE_SIGNATURES"], role)
		require.Equal(t, "true", *environment["REQUIRE_SIGNATURES"], role)
		require.Contains(t, environment, key)
	}
}

// TestComposeWebhook follows the source forge's deliveries to the producer's port, with one secret at both ends.
func TestComposeWebhook(t *testing.T) {
	services := load(t).Services
	hook, producer := services["source-projects"].Environment, services["producer"].Environment
	target, err := url.Parse(*hook["WEBHOOK_URL"])
	require.NoError(t, err)
	require.Equal(t, "producer", target.Hostname())
	require.Equal(t, *producer["WEBHOOK_ADDRESS"], ":"+target.Port())
	require.Equal(t, *producer["WEBHOOK_SECRETS"], *hook["WEBHOOK_SECRET"])
	require.Equal(t, "private", *services["source-forge"].Environment["GITEA__webhook__ALLOWED_HOST_LIST"])
	require.NotContains(t, services["destination-projects"].Environment, "WEBHOOK_URL")
}
