package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What this software does with a variable of the one that it replaces.
const (
	same      = "same"
	differs   = "differs"     // in its default, or in what it takes
	otherName = "other name"  // of a setting here
	starters  = "the starter" // reads it, and the worker does not
	named     = "named"       // at the start, as it has no effect
)

// predecessor are all variables of git-partition-sync-producer and -consumer: of the READMEs, the programs and the OpenShift
// templates of all their versions.
var predecessor = map[string]string{
	"AWS_ACCESS_KEY_ID": same, "AWS_SECRET_ACCESS_KEY": same, "AWS_REGION": same, "AWS_S3_BUCKET": same,
	"GITLAB_BASE_URL": same, "GITLAB_USERNAME": same, "GITLAB_TOKEN": same,
	"GRAPHQL_SERVER": same, "GRAPHQL_QUERY_FILE": same, "PUBLIC_KEY": same, "PRIVATE_KEY": same, "INTERNAL_GIT_CA_PATH": same,
	"INSTANCE_SHARD":   same,
	"GRAPHQL_USERNAME": differs, "GRAPHQL_PASSWORD": differs, // "dev" there, nothing is sent here
	"METRICS_SERVER_PORT":        differs, // 9090 there, off here
	"WORKDIR":                    differs, // /working there, and made by the program
	"RECONCILE_SLEEP_TIME":       starters,
	"GRAPHQL_GLSYNC_QUERY_FILE":  otherName,
	"GRAPHQL_PRCHECK_QUERY_FILE": starters, "PREVIOUS_BUNDLE_SHA": starters, "GIT_PARTITION_SAAS_NAME": starters,
	"CONFIG_FILE_PATH": named, "MASTER_BUNDLE_SHA256": named, "PRIVATE_GPG_PATH": named, "PRIVATE_GPG_PASSPHRASE": named, "REQUEST_TIMEOUT": named,
}

// No variable of the predecessor is passed over without a word.
func TestPredecessorsVariables(t *testing.T) {
	settings := slices.Collect(maps.Keys(allForms()))
	for name, is := range predecessor {
		notes := Unused(false, []string{name + "=canary"})
		switch is {
		case same, differs:
			require.Contains(t, settings, name)
		case otherName:
			require.Contains(t, settings, otherNames[name])
		}
		if is != named {
			require.NotContains(t, unused, name)
			require.Empty(t, notes)
			continue
		}
		require.NotContains(t, settings, name)
		require.Len(t, notes, 1)
		require.True(t, strings.HasPrefix(notes[0], name+": "), notes)
		require.NotContains(t, notes[0], "canary")
	}
	for name := range unused {
		require.Equal(t, named, predecessor[name], name)
	}
	for name := range otherNames {
		require.Equal(t, otherName, predecessor[name], name)
	}
}

// What its documentation asks for is enough, and what it says is optional is taken.
func TestPredecessorsEnvironment(t *testing.T) {
	key := identity(t)
	c, err := LoadProducer(environ(map[string]string{"GRAPHQL_SERVER": "https://graphql.example.com/graphql", "PUBLIC_KEY": key.Recipient().String()}))
	require.NoError(t, err)
	require.Equal(t, "fedramp", c.Shard)
	require.Empty(t, c.Endpoints())
	d, err := LoadConsumer(environ(map[string]string{
		"PRIVATE_KEY": key.String(), "RECONCILE_SLEEP_TIME": "15m", "WORKDIR": "/working", "INSTANCE_SHARD": "other", "METRICS_SERVER_PORT": "9090",
	}))
	require.NoError(t, err)
	require.Equal(t, []Endpoint{{"METRICS_SERVER_PORT", ":9090"}}, d.Endpoints())
	require.Equal(t, "other", d.Shard)
}

func TestQueryUnderItsOtherName(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, file := range []string{one, two} {
		require.NoError(t, os.WriteFile(file, []byte("{ "+filepath.Base(file)+" }"), 0o600))
	}
	for _, tt := range []struct{ own, other, want, err string }{
		{"", one, "{ one }", ""},
		{one, one, "{ one }", ""},
		{two, "", "{ two }", ""},
		{two, one, "", "GRAPHQL_QUERY_FILE and GRAPHQL_GLSYNC_QUERY_FILE are two names of one setting, and differ: unset one"},
		{"", "/does/not/exist", "", "GRAPHQL_QUERY_FILE: open /does/not/exist"},
	} {
		c, err := LoadProducer(environ(map[string]string{
			"GRAPHQL_SERVER": "https://graphql.example.com", "PUBLIC_KEY": identity(t).Recipient().String(),
			"GRAPHQL_QUERY_FILE": tt.own, "GRAPHQL_GLSYNC_QUERY_FILE": tt.other,
		}))
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, Query(tt.want), c.Query)
	}
}

// Bundles are compared by a check of the producer, and by nothing else.
func TestUnusedAtTheConsumer(t *testing.T) {
	for _, name := range []string{"PREVIOUS_BUNDLE_SHA", "GIT_PARTITION_SAAS_NAME", "GRAPHQL_PRCHECK_QUERY_FILE"} {
		require.Equal(t, []string{name + ": only a check of the producer compares bundles"}, Unused(true, []string{name + "=canary"}))
	}
}

// What a GraphQL server would be asked with is named where none is asked.
func TestUnusedOfGraphQL(t *testing.T) {
	require.Equal(t, []string{
		"GRAPHQL_USERNAME: no GraphQL server is asked, as SYNCS_FILE is set", "GRAPHQL_PASSWORD: no GraphQL server is asked, as SYNCS_FILE is set",
	}, Unused(false, []string{"SYNCS_FILE=/syncs.yaml", "GRAPHQL_USERNAME=reader", "GRAPHQL_PASSWORD=canary", "REQUEST_TIMEOUT="}))
	require.Empty(t, Unused(false, []string{"GRAPHQL_SERVER=https://graphql.example.com", "GRAPHQL_USERNAME=reader"}))
}
