package config

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/notify"
)

func TestNotifyURL(t *testing.T) {
	for _, tt := range []struct {
		url, format, plain string
		problem            string // "" for none
	}{
		{"https://hooks.slack.com/services/T0/B0/a-long-token-of-slack", "slack", "", ""},
		{"https://user:word@example.com/hook?key=value", "", "", ""},
		{"http://127.0.0.1:8080/hook", "json", "", ""},
		{"http://alertmanager:9093", "alertmanager", "", ""},
		{"http://hooks.example.com/hook", "json", "", "NOTIFY_URL would send credentials over plain HTTP to hooks.example.com"},
		{"http://user:a-long-password@alertmanager:9093", "alertmanager", "", "NOTIFY_URL would send credentials over plain HTTP to alertmanager"},
		{"http://hooks.example.com/hook", "json", "true", ""},
		{"ftp://hooks.example.com/a-long-token-of-slack", "json", "", "NOTIFY_URL: not an http or https URL"},
		{"https:///a-long-token-of-slack", "json", "", "NOTIFY_URL: not an http or https URL"},
		{"https://hooks.example.com/a-long-token-of-slack#a", "json", "", "NOTIFY_URL: there is a fragment in the URL"},
		{"https://hooks.example.com/a-long-token-of slack", "json", "", "NOTIFY_URL has white space in it"},
		{"https://hooks.example.com", "teams", "", `NOTIFY_FORMAT: "teams" is not json, slack or alertmanager`},
		{"", "slack", "", "NOTIFY_URL is not set, and NOTIFY_FORMAT is for what is sent there"},
	} {
		vars := map[string]string{"PRIVATE_KEY": identity(t).String(), "NOTIFY_URL": tt.url, "NOTIFY_FORMAT": tt.format, "ALLOW_PLAIN_HTTP": tt.plain}
		c, err := LoadConsumer(environ(vars))
		if tt.problem != "" {
			require.ErrorContains(t, err, tt.problem, tt.url)
			require.NotContains(t, err.Error(), "a-long-")
			continue
		}
		require.NoError(t, err, tt.url)
		require.Equal(t, tt.url, (*url.URL)(c.NotifyURL).String())
		if tt.format == "" {
			require.Equal(t, notify.JSON, c.NotifyFormat)
		}
	}
	c, err := LoadConsumer(environ(map[string]string{"PRIVATE_KEY": identity(t).String()}))
	require.NoError(t, err)
	require.Nil(t, c.NotifyURL)
}

func TestSecretsOfNotifyURL(t *testing.T) {
	require.ElementsMatch(t, []string{"a-long-token-of-slack"}, Secrets([]string{"NOTIFY_URL=https://hooks.slack.com/services/T0/B0/a-long-token-of-slack"}), "the host may be named")
	require.ElementsMatch(t, []string{"https://%zz/a-long-token"}, Secrets([]string{"NOTIFY_URL=https://%zz/a-long-token"}), "nor is what is no URL shown")
}
