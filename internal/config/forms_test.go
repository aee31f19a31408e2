package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/sign"
)

// sides are complete configurations, and how they are loaded.
func sides(t *testing.T) (producer, consumer map[string]string) {
	t.Helper()
	id := identity(t)
	secret, public, err := sign.Generate()
	require.NoError(t, err)
	producer = map[string]string{"GRAPHQL_SERVER": "https://graphql.example.com", "PUBLIC_KEY": id.Recipient().String(), "SIGNING_KEY": secret}
	consumer = map[string]string{"PRIVATE_KEY": id.String(), "VERIFY_KEYS": public, "ALLOWED_DESTINATIONS": "mirror/*"}
	return producer, consumer
}

// loadWith loads the side that has the variable, with another value for it.
func loadWith(t *testing.T, name, value string) error {
	t.Helper()
	producer, consumer := sides(t)
	if _, ok := consumer[name]; ok {
		_, err := LoadConsumer(append(environ(consumer), name+"="+value))
		return err
	}
	_, err := LoadProducer(append(environ(producer), name+"="+value))
	return err
}

func write(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// The newline at the end of a secret that was made from a file is not sent along.
func TestCredentials(t *testing.T) {
	producer, _ := sides(t)
	for name, value := range map[string]string{
		"GITLAB_USERNAME": "bot\n", "GITLAB_TOKEN": "@" + write(t, "\ufefftoken\r\n"), "GRAPHQL_USERNAME": " reader ", "GRAPHQL_PASSWORD": "@a pass:\"word\"",
		"AWS_ACCESS_KEY_ID": "@" + write(t, "AKIA\n"), "AWS_SECRET_ACCESS_KEY": "@" + write(t, "secret/key+\n"), "AWS_SESSION_TOKEN": "session==\n",
	} {
		producer[name] = value
	}
	c, err := LoadProducer(environ(producer))
	require.NoError(t, err)
	require.Equal(t, []string{"bot", "token", "reader", "@a pass:\"word\"", "AKIA", "secret/key+", "session=="}, []string{
		c.GitLabUsername, c.GitLabToken, c.GraphQLUsername, c.GraphQLPassword, c.AccessKeyID, c.SecretAccessKey, c.SessionToken,
	})
	require.Contains(t, Secrets(environ(producer)), "@a pass:\"word\"")
	require.Contains(t, Secrets(environ(producer)), "secret/key+")

	for name, value := range map[string]string{
		"GITLAB_USERNAME": "@" + write(t, "bot\n"), "GRAPHQL_USERNAME": "@" + write(t, "reader\n"), "GRAPHQL_PASSWORD": "@" + write(t, "pass word\n"),
	} {
		producer[name] = value
	}
	c, err = LoadProducer(environ(producer))
	require.NoError(t, err)
	require.Equal(t, []string{"bot", "reader", "pass word"}, []string{c.GitLabUsername, c.GraphQLUsername, c.GraphQLPassword})
}

func TestCredentialsThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"GITLAB_TOKEN", "canary token", "GITLAB_TOKEN has white space in it"},
		{"GITLAB_TOKEN", "canary\ntoken", "GITLAB_TOKEN has a control character in it"},
		{"GITLAB_TOKEN", `"canary"`, "GITLAB_TOKEN has quotes in it"},
		{"GITLAB_TOKEN", " ", "GITLAB_TOKEN is set, but to white space only"},
		{"GITLAB_TOKEN", "@/canary", "GITLAB_TOKEN: the file that it names after @: no such file or directory"},
		{"GITLAB_TOKEN", "@" + write(t, ""), "GITLAB_TOKEN names a file in which there is nothing"},
		{"GITLAB_TOKEN", "@" + write(t, "\xff\xfec\x00a\x00n\x00a\x00r\x00y\x00"), "GITLAB_TOKEN is not UTF-8 text"},
		{"GITLAB_TOKEN", "@/dev/zero", "/dev/zero is larger than 1048576 bytes"},
		{"GITLAB_USERNAME", "bot:canary", "GITLAB_USERNAME has a colon in it"},
		{"GRAPHQL_USERNAME", "bot:canary", "GRAPHQL_USERNAME has a colon in it"},
		{"GRAPHQL_PASSWORD", "canary\x00", "GRAPHQL_PASSWORD has a control character in it"},
		{"AWS_ACCESS_KEY_ID", "canary token", "AWS_ACCESS_KEY_ID has white space in it"},
		{"AWS_SECRET_ACCESS_KEY", "'canary'", "AWS_SECRET_ACCESS_KEY has quotes in it"},
	} {
		err := loadWith(t, tt.name, tt.value)
		require.ErrorContains(t, err, tt.want)
		require.NotContains(t, err.Error(), "canary")
		require.NotContains(t, err.Error(), tt.name+" is not set")
	}
	_, consumer := sides(t)
	consumer["AWS_ACCESS_KEY_ID"], consumer["AWS_SECRET_ACCESS_KEY"], consumer["AWS_SESSION_TOKEN"] = "", "", "session"
	_, err := LoadConsumer(environ(consumer))
	require.ErrorContains(t, err, "AWS_SESSION_TOKEN is set, but not the AWS_ACCESS_KEY_ID that it belongs to")
}

// Nothing that editors and readers of .env files add to a key makes it another.
func TestKeysInDisguise(t *testing.T) {
	producer, consumer := sides(t)
	for _, side := range []map[string]string{producer, consumer} {
		for _, name := range []string{"PUBLIC_KEY", "SIGNING_KEY", "PRIVATE_KEY", "VERIFY_KEYS", "ALLOWED_DESTINATIONS"} {
			value, ok := side[name]
			if !ok {
				continue
			}
			for _, disguised := range []string{
				"\ufeff" + value, `"` + value + `"`, "'" + value + "'", value + "\r\n", "\n" + value + "\n\n", "@" + write(t, "\ufeff"+strings.ReplaceAll(value, "\n", "\r\n")+"\r\n"),
			} {
				side[name] = disguised
				var err error
				if _, ok := producer[name]; ok {
					_, err = LoadProducer(environ(producer))
				} else {
					_, err = LoadConsumer(environ(consumer))
				}
				require.NoError(t, err, "%s=%q", name, disguised)
			}
			require.Error(t, loadWith(t, name, `"`+value), "%s: a quote that does not end", name)
		}
	}
}

// The end of a line, and other white space, is left out around any value, and refused within those that cannot have it.
func TestWhiteSpace(t *testing.T) {
	for side, settings := range map[string][]setting{"producer": settingsOfType(reflect.TypeFor[Producer]()), "consumer": settingsOfType(reflect.TypeFor[Consumer]())} {
		producer, consumer := sides(t)
		load := func(name, value string) error {
			if side == "producer" {
				_, err := LoadProducer(append(environ(producer), name+"="+value))
				return err
			}
			_, err := LoadConsumer(append(environ(consumer), name+"="+value))
			return err
		}
		for _, s := range settings {
			require.ErrorContains(t, load(s.name, " \t\n"), s.name+" is set, but to white space only")
			text, err := variables{s.name: "\ufeff a\r\n"}.text(s.name, s.form)
			require.NoError(t, err)
			require.Equal(t, "a", text, s.name)
			if s.form.list {
				continue // may have lines
			}
			for _, control := range []string{"a\nb", "a\x00b", "a\x1bb"} {
				require.ErrorContains(t, load(s.name, control), s.name+" has a control character in it", "%q", control)
			}
			if !slices.Contains([]string{"WORKDIR", "INTERNAL_GIT_CA_PATH", "GRAPHQL_QUERY_FILE", "SYNCS_FILE", "GRAPHQL_USERNAME", "GRAPHQL_PASSWORD"}, s.name) {
				require.ErrorContains(t, load(s.name, "a b"), s.name+" has white space in it")
				require.ErrorContains(t, load(s.name, `"a"`), s.name+" has quotes in it")
			}
		}
	}
	producer, _ := sides(t)
	for name, value := range map[string]string{"AWS_REGION": "eu-west-1\n", "AWS_S3_BUCKET": " bucket ", "THIN_PACKS": "false\n", "PRUNE_AFTER": " 1h", "ENVIRONMENT": "one\r\n"} {
		producer[name] = value
	}
	c, err := LoadProducer(environ(producer))
	require.NoError(t, err)
	require.Equal(t, []any{"eu-west-1", "bucket", false, time.Hour, "one"}, []any{c.Region, c.Bucket, c.ThinPacks, c.PruneAfter, c.Environment.Name()})
}

// What others read by themselves, we cannot trim for them.
func TestWhiteSpaceForOthers(t *testing.T) {
	for variable, want := range map[string]string{
		"AWS_ENDPOINT_URL_S3=http://s3.example.com\n": "AWS_ENDPOINT_URL_S3 has white space around it",
		"AWS_PROFILE= one":                            "AWS_PROFILE has white space around it",
		"AWS_CA_BUNDLE=/a\tb":                         "AWS_CA_BUNDLE has a control character in it",
		"HTTPS_PROXY=http://user:canary@proxy\n":      "HTTPS_PROXY has white space around it",
		"no_proxy= a, b":                              "no_proxy has white space around it",
	} {
		_, consumer := sides(t)
		_, err := LoadConsumer(append(environ(consumer), variable))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
	_, consumer := sides(t)
	_, err := LoadConsumer(append(environ(consumer), "AWS_PROFILE=my profile", "NO_PROXY=a, b", "HOME= /x"))
	require.NoError(t, err)
}
