package config

import (
	"maps"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// A variable that is there but yields nothing is a mistake: what it would switch off stays on.
func TestSetToNothing(t *testing.T) {
	for _, name := range []string{"PUBLIC_KEY", "SIGNING_KEY", "PRIVATE_KEY", "VERIFY_KEYS", "ALLOWED_DESTINATIONS"} {
		for value, want := range map[string]string{
			" ":                          " is set, but to white space only",
			"\t\r\n":                     " is set, but to white space only",
			"@" + write(t, ""):           " names a file in which there is nothing",
			"@" + write(t, "\ufeff \n"):  " names a file in which there is nothing",
			"# none yet":                 ": ",
			"@" + write(t, "# none\n\n"): ": ",
			"@/does/not/exist":           ": open /does/not/exist",
			`""`:                         ": ",
			",":                          ": ",
		} {
			require.ErrorContains(t, loadWith(t, name, value), name+want, "%q", value)
		}
	}
	for _, name := range []string{"SIGNING_KEY", "VERIFY_KEYS", "ALLOWED_DESTINATIONS", "ENVIRONMENT", "REQUIRE_SIGNATURES"} {
		require.ErrorContains(t, loadWith(t, name, ""), name+" is set to nothing")
	}
	_, consumer := sides(t)
	_, err := LoadConsumer(append(environ(consumer), "PUSH_POLICY="))
	require.ErrorContains(t, err, "PUSH_POLICY is set to nothing")
	for _, content := range []string{"", " \n"} {
		file := write(t, content)
		require.ErrorContains(t, loadWith(t, "GRAPHQL_QUERY_FILE", file), "GRAPHQL_QUERY_FILE: there is nothing in "+file)
	}
	for _, name := range []string{"PUBLIC_KEY", "PRIVATE_KEY", "GITLAB_TOKEN"} {
		require.ErrorContains(t, loadWith(t, name, ""), name+" is not set")
	}
	for _, name := range []string{"PRUNE_AFTER", "HEALTH_ADDRESS", "WORKDIR"} {
		require.NoError(t, loadWith(t, name, ""), "%s has a default, or is for nothing that is checked", name)
	}
}

// A limit that no number is above or below would be none.
func TestNumbersThatLimitNothing(t *testing.T) {
	for _, value := range []string{"NaN", "nan", "Inf", "-0.1", "1.1"} {
		require.ErrorContains(t, loadWith(t, "PRUNE_MAX_SHARE", value), "PRUNE_MAX_SHARE is ", value)
		_, consumer := sides(t)
		_, err := LoadConsumer(append(environ(consumer), "DELETE_REFS_MAX_SHARE="+value))
		require.ErrorContains(t, err, "DELETE_REFS_MAX_SHARE is ", value)
	}
	for _, value := range []string{"-1s", "999ms", "1h1s", "soon"} {
		_, consumer := sides(t)
		_, err := LoadConsumer(append(environ(consumer), "POLL_INTERVAL="+value))
		require.ErrorContains(t, err, "POLL_INTERVAL is ", value)
	}
	require.ErrorContains(t, loadWith(t, "PRUNE_MAX_SHARE", "50%"), "PRUNE_MAX_SHARE is not a number")
	require.ErrorContains(t, loadWith(t, "PRUNE_AFTER", "1d"), "PRUNE_AFTER is not a duration such as 90s or 24h")
	require.ErrorContains(t, loadWith(t, "DRAIN_TIMEOUT", "-5s"), "DRAIN_TIMEOUT is -5s, less than 0")
}

// The predecessor's variables alone suffice, and open what they do not speak of. Nothing else does.
func TestWhatIsNotSetIsOpen(t *testing.T) {
	producer, consumer := sides(t)
	delete(producer, "SIGNING_KEY")
	p, err := LoadProducer(environ(producer))
	require.NoError(t, err)
	require.False(t, p.Signer.Signs())
	p, err = LoadProducer(append(environ(producer), "SIGNING_KEY=nonsense"))
	require.Error(t, err)
	require.True(t, p.Signer.Signs())

	delete(consumer, "VERIFY_KEYS")
	delete(consumer, "ALLOWED_DESTINATIONS")
	c, err := LoadConsumer(environ(consumer))
	require.NoError(t, err)
	require.False(t, c.Verifier.Verifies())
	require.True(t, c.Allow.Allows(project.Branch{Group: "any", Name: "app", Branch: "main"}))
	require.Equal(t, archive.AnyEnvironment(), c.Environment)

	for _, mistake := range []string{"nonsense", " ", ""} {
		c, err = LoadConsumer(append(environ(consumer), "VERIFY_KEYS="+mistake, "ALLOWED_DESTINATIONS="+mistake))
		require.Error(t, err)
		require.Zero(t, c, "nothing of what has a mistake in it is used")
		require.True(t, c.Verifier.Verifies())
		require.False(t, c.Allow.Allows(project.Branch{Group: "any", Name: "app", Branch: "main"}))
	}
}

// Whoever writes to the bucket must not have projects made wherever the token may.
func TestCreateProjectsNeedsAList(t *testing.T) {
	_, consumer := sides(t)
	consumer["CREATE_PROJECTS"] = "true"
	c, err := LoadConsumer(environ(consumer))
	require.NoError(t, err)
	require.True(t, c.CreateProjects)

	delete(consumer, "ALLOWED_DESTINATIONS")
	c, err = LoadConsumer(environ(consumer))
	require.ErrorContains(t, err, "ALLOWED_DESTINATIONS is not set, and CREATE_PROJECTS=true asks for it")
	require.Zero(t, c)
	consumer["CREATE_PROJECTS"] = ""
	c, err = LoadConsumer(environ(consumer))
	require.NoError(t, err)
	require.False(t, c.CreateProjects)
}

// Half of what creates groups creates nothing, and says so.
func TestGitLabAPINeedsCreateProjects(t *testing.T) {
	_, consumer := sides(t)
	consumer["GITLAB_API"] = "true"
	c, err := LoadConsumer(environ(consumer))
	require.EqualError(t, err, "configuration:\n  GITLAB_API=true creates the groups of projects that CREATE_PROJECTS=true creates, and that is not set: set both, or none")
	require.Zero(t, c)

	consumer["CREATE_PROJECTS"] = "true"
	c, err = LoadConsumer(environ(consumer))
	require.NoError(t, err)
	require.True(t, c.GitLabAPI)
	delete(consumer, "ALLOWED_DESTINATIONS")
	_, err = LoadConsumer(environ(consumer))
	require.ErrorContains(t, err, "ALLOWED_DESTINATIONS is not set, and CREATE_PROJECTS=true asks for it")
}

func TestRequireSignatures(t *testing.T) {
	producer, consumer := sides(t)
	producer["REQUIRE_SIGNATURES"], consumer["REQUIRE_SIGNATURES"] = "true", "true"
	_, err := LoadProducer(environ(producer))
	require.NoError(t, err)
	_, err = LoadConsumer(environ(consumer))
	require.NoError(t, err)

	delete(producer, "SIGNING_KEY")
	_, err = LoadProducer(environ(producer))
	require.EqualError(t, err, "configuration:\n  SIGNING_KEY is not set, and REQUIRE_SIGNATURES=true asks for it")
	delete(consumer, "VERIFY_KEYS")
	_, err = LoadConsumer(environ(consumer))
	require.EqualError(t, err, "configuration:\n  VERIFY_KEYS is not set, and REQUIRE_SIGNATURES=true asks for it")
	require.ErrorContains(t, loadWith(t, "REQUIRE_SIGNATURES", "perhaps"), "REQUIRE_SIGNATURES is not true or false")
}

// What nobody has signed, and names no environment, is not read where either counts. Set to nothing, it is off.
func TestReadPredecessor(t *testing.T) {
	_, consumer := sides(t)
	unchecked := maps.Clone(consumer)
	for _, name := range []string{"VERIFY_KEYS", "REQUIRE_SIGNATURES", "ENVIRONMENT"} {
		delete(unchecked, name)
	}
	for value, want := range map[string]bool{"true": true, "false": false, "": false, " true\n": true} {
		c, err := LoadConsumer(append(environ(unchecked), "READ_PREDECESSOR="+value))
		require.NoError(t, err)
		require.Equal(t, want, c.ReadPredecessor, "%q", value)
		_, err = LoadConsumer(append(environ(consumer), "REQUIRE_SIGNATURES=true", "READ_PREDECESSOR="+value))
		require.Equal(t, want, err != nil, "%q", value)
	}
	for _, mistake := range []string{"yes", " ", "tru"} {
		c, err := LoadConsumer(append(environ(unchecked), "READ_PREDECESSOR="+mistake))
		require.ErrorContains(t, err, "READ_PREDECESSOR")
		require.Zero(t, c)
	}
	for name, values := range map[string][]string{
		"VERIFY_KEYS": {consumer["VERIFY_KEYS"], "nonsense", ""}, "ENVIRONMENT": {"full-1", ""}, "REQUIRE_SIGNATURES": {"true"},
	} {
		for _, value := range values {
			_, err := LoadConsumer(append(environ(unchecked), "READ_PREDECESSOR=true", name+"="+value))
			require.ErrorContains(t, err, "READ_PREDECESSOR=true does not go together with "+name, "%q", value)
		}
	}
}

// The predecessor's consumer checks nothing, and has one kind of key.
func TestWritePredecessor(t *testing.T) {
	producer, _ := sides(t)
	unchecked := maps.Clone(producer)
	for _, name := range []string{"SIGNING_KEY", "REQUIRE_SIGNATURES", "ENVIRONMENT"} {
		delete(unchecked, name)
	}
	for value, want := range map[string]bool{"true": true, "false": false, "": false, " true\n": true} {
		c, err := LoadProducer(append(environ(unchecked), "WRITE_PREDECESSOR="+value))
		require.NoError(t, err)
		require.Equal(t, want, c.WritePredecessor, "%q", value)
		_, err = LoadProducer(append(environ(producer), "REQUIRE_SIGNATURES=true", "WRITE_PREDECESSOR="+value))
		require.Equal(t, want, err != nil, "%q", value)
	}
	for _, mistake := range []string{"yes", " ", "tru"} {
		c, err := LoadProducer(append(environ(unchecked), "WRITE_PREDECESSOR="+mistake))
		require.ErrorContains(t, err, "WRITE_PREDECESSOR")
		require.Equal(t, Producer{}, c)
	}
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	for name, values := range map[string][]string{
		"SIGNING_KEY": {producer["SIGNING_KEY"], "nonsense", ""}, "ENVIRONMENT": {"full-1", ""}, "REQUIRE_SIGNATURES": {"true"}, "PUBLIC_KEY": {hybrid.Recipient().String()},
	} {
		for _, value := range values {
			_, err := LoadProducer(append(environ(unchecked), "WRITE_PREDECESSOR=true", name+"="+value))
			require.ErrorContains(t, err, name, "%q", value)
			require.ErrorContains(t, err, "WRITE_PREDECESSOR=true does not go together with ", "%q", value)
			require.ErrorContains(t, err, "until that consumer is replaced")
		}
	}
}
