package notify_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/notify"
)

var ten = time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)

func message() notify.Message {
	return notify.Message{
		Version: notify.Version, Role: "consumer", Environment: "prod", At: ten, More: 12,
		Changes: []notify.Change{
			{
				Destination: "enclave/web/router@main", Change: "failing", Kind: "GitAuthFailed", Was: "PushRefused",
				Reason: "the destination cannot be read: credentials refused (http status 401)", Remedy: "Check GITLAB_USERNAME and GITLAB_TOKEN.",
				Since: ten.Add(-298 * time.Second), Workflow: "consume/enclave/web/router@main",
				Link: "https://temporal.example.com/namespaces/default/workflows/consume%2Fenclave%2Fweb%2Frouter@main",
			},
			{Destination: "catalog", Change: "still_failing", Kind: "CatalogStale", Since: ten.Add(-25 * time.Hour), Workflow: "consumer-sync"},
			{Destination: "enclave/a@main", Change: "recovered", Kind: "PushRefused", Since: ten.Add(-time.Hour), Workflow: "consume/enclave/a@main"},
		},
	}
}

// Whoever reads messages can rely on each byte.
func TestFormats(t *testing.T) {
	t.Parallel()
	for format, want := range map[notify.Format]string{
		notify.JSON: `{"version":1,"role":"consumer","environment":"prod","at":"2026-11-27T10:00:00Z","changes":[` +
			`{"destination":"enclave/web/router@main","change":"failing","kind":"GitAuthFailed","was":"PushRefused","reason":"the destination cannot be read: credentials refused (http status 401)","remedy":"Check GITLAB_USERNAME and GITLAB_TOKEN.","since":"2026-11-27T09:55:02Z","workflow":"consume/enclave/web/router@main","link":"https://temporal.example.com/namespaces/default/workflows/consume%2Fenclave%2Fweb%2Frouter@main"},` +
			`{"destination":"catalog","change":"still_failing","kind":"CatalogStale","since":"2026-11-26T09:00:00Z","workflow":"consumer-sync"},` +
			`{"destination":"enclave/a@main","change":"recovered","kind":"PushRefused","since":"2026-11-27T09:00:00Z","workflow":"consume/enclave/a@main"}],"more":12}`,
		notify.Slack: `{"text":"*git-partition-sync consumer (prod): 1 failing, 1 still failing, 1 recovered, 12 more*` +
			"\\n• failing: `enclave/web/router@main` `GitAuthFailed` <https://temporal.example.com/namespaces/default/workflows/consume%2Fenclave%2Fweb%2Frouter@main|workflow>" +
			"\\n    `the destination cannot be read: credentials refused (http status 401)`\\n    `Check GITLAB_USERNAME and GITLAB_TOKEN.`" +
			"\\n• still failing: `catalog` `CatalogStale`\\n• recovered: `enclave/a@main` `PushRefused`\"}",
		notify.Alertmanager: `[` +
			`{"labels":{"alertname":"GitPartitionSyncFailing","destination":"enclave/web/router@main","environment":"prod","kind":"PushRefused","role":"consumer"},"annotations":{"summary":"enclave/web/router@main recovered"},"endsAt":"2026-11-27T10:00:00Z"},` +
			`{"labels":{"alertname":"GitPartitionSyncFailing","destination":"enclave/web/router@main","environment":"prod","kind":"GitAuthFailed","role":"consumer"},"annotations":{"description":"the destination cannot be read: credentials refused (http status 401)","remedy":"Check GITLAB_USERNAME and GITLAB_TOKEN.","summary":"enclave/web/router@main failing","workflow":"consume/enclave/web/router@main"},"startsAt":"2026-11-27T09:55:02Z","endsAt":"2026-11-28T16:00:00Z","generatorURL":"https://temporal.example.com/namespaces/default/workflows/consume%2Fenclave%2Fweb%2Frouter@main"},` +
			`{"labels":{"alertname":"GitPartitionSyncFailing","destination":"catalog","environment":"prod","kind":"CatalogStale","role":"consumer"},"annotations":{"summary":"catalog still failing","workflow":"consumer-sync"},"startsAt":"2026-11-26T09:00:00Z","endsAt":"2026-11-28T16:00:00Z"},` +
			`{"labels":{"alertname":"GitPartitionSyncFailing","destination":"enclave/a@main","environment":"prod","kind":"PushRefused","role":"consumer"},"annotations":{"summary":"enclave/a@main recovered","workflow":"consume/enclave/a@main"},"startsAt":"2026-11-27T09:00:00Z","endsAt":"2026-11-27T10:00:00Z"},` +
			`{"labels":{"alertname":"GitPartitionSyncMoreChanges","environment":"prod","role":"consumer"},"annotations":{"description":"git-partition-sync consumer (prod): 1 failing, 1 still failing, 1 recovered, 12 more"},"startsAt":"2026-11-27T10:00:00Z","endsAt":"2026-11-28T16:00:00Z"}]`,
	} {
		body, err := format.Body(message())
		require.NoError(t, err)
		require.Equal(t, want, string(body), format)
	}
}

// The example in the documentation is one that is sent, but for the other changes in it.
func TestDocumentedMessage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, example, found := strings.Cut(string(page), "```json\n{\n  \"version\": 1,")
	require.True(t, found)
	example, _, _ = strings.Cut("{\n  \"version\": 1,"+example, "```")
	m := message()
	m.Changes = m.Changes[:1]
	body, err := notify.JSON.Body(m)
	require.NoError(t, err)
	require.JSONEq(t, example, string(body))
}

// A side that has no environment, and a message without changes, have no empty words.
func TestShortMessage(t *testing.T) {
	t.Parallel()
	m := notify.Message{Version: 1, Role: "producer", At: ten, Changes: []notify.Change{}, More: 3}
	require.Equal(t, "git-partition-sync producer: 3 more", m.Title())
	body, err := notify.JSON.Body(m)
	require.NoError(t, err)
	require.Equal(t, `{"version":1,"role":"producer","at":"2026-11-27T10:00:00Z","changes":[],"more":3}`, string(body))
}

// What servers have said neither calls people, nor links, nor grows without end.
func TestSlackIsNotSpokenToByOthers(t *testing.T) {
	t.Parallel()
	evil := "<!channel> `*now*` <https://evil.example|click> & \x1b[31m\nhttps://evil.example/" + strings.Repeat("x", 5000)
	m := notify.Message{Role: "consumer"}
	for range notify.MaxChanges {
		m.Changes = append(m.Changes, notify.Change{Destination: evil, Change: "failing", Kind: "PushRefused", Reason: evil, Remedy: evil, Link: "https://t.example/a|b>c"})
	}
	body, err := notify.Slack.Body(m)
	require.NoError(t, err)
	var sent struct{ Text string }
	require.NoError(t, json.Unmarshal(body, &sent))
	require.LessOrEqual(t, len(sent.Text), 30_100)
	lines := strings.Split(sent.Text, "\n")
	require.Equal(t, fmt.Sprintf("… and %d more", 50-(len(lines)-2)/3), lines[len(lines)-1])
	require.Equal(t, 0, strings.Count(sent.Text, "<!"))
	require.Contains(t, lines[1], " <https://t.example/a%7Cb%3Ec|workflow>")
	require.True(t, strings.HasPrefix(lines[2], "    `&lt;!channel&gt; '*now*' &lt;https://evil.example|click&gt; &amp; https://evil.example/xx"))
	require.True(t, strings.HasSuffix(lines[2], "…`"))
	require.NotContains(t, sent.Text, "\x1b")
}

func TestFormatNames(t *testing.T) {
	t.Parallel()
	var f notify.Format
	for _, name := range []string{"json", "slack", "alertmanager"} {
		require.NoError(t, f.UnmarshalText([]byte(name)))
		require.Equal(t, notify.Format(name), f)
	}
	require.EqualError(t, f.UnmarshalText([]byte("teams")), `"teams" is not json, slack or alertmanager`)
}
