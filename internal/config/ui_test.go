package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTemporalUI(t *testing.T) {
	for name, tt := range map[string]struct{ base, namespace, id, want string }{
		"at the root of a host": {"https://temporal.example.com", "fedramp", "consume/acme/app@main", "https://temporal.example.com/namespaces/fedramp/workflows/consume%2Facme%2Fapp@main"},
		"below a path":          {"https://example.com/temporal/", "fedramp", "a", "https://example.com/temporal/namespaces/fedramp/workflows/a"},
		"names that look like something else": {
			"http://127.0.0.1:8233", "a b", `x?y#z%2F/../"<&>`, "http://127.0.0.1:8233/namespaces/a%20b/workflows/x%3Fy%23z%252F%2F..%2F%22%3C&%3E",
		},
		"no UI":        {"", "fedramp", "a", ""},
		"no namespace": {"https://temporal.example.com", "", "a", ""},
		"no workflow":  {"https://temporal.example.com", "fedramp", "", ""},
	} {
		ui, err := LoadUI([]string{"TEMPORAL_UI_URL=" + tt.base})
		require.NoError(t, err, name)
		require.Equal(t, tt.want, ui.Workflow(tt.namespace, tt.id), name)
	}
	for _, wrong := range []string{"temporal.example.com", "ftp://temporal.example.com", "https://temporal.example.com/?a=b", "https://bot:canary@temporal.example.com"} {
		_, err := LoadUI([]string{"TEMPORAL_UI_URL=" + wrong})
		require.ErrorContains(t, err, "TEMPORAL_UI_URL: ", wrong)
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestStatusPageNeedsAnAddress(t *testing.T) {
	_, consumer := sides(t)
	c, err := LoadConsumer(environ(consumer))
	require.NoError(t, err)
	require.False(t, c.StatusPage, "names and errors are on it: nobody gets it unasked")
	consumer["STATUS_PAGE"] = "true"
	_, err = LoadConsumer(append(environ(consumer), "METRICS_SERVER_PORT=9090"))
	require.ErrorContains(t, err, "HEALTH_ADDRESS is not set, and STATUS_PAGE=true asks for it: that is where the page is served")
	c, err = LoadConsumer(append(environ(consumer), "HEALTH_ADDRESS=127.0.0.1:8080"))
	require.NoError(t, err)
	require.True(t, c.StatusPage)
}
