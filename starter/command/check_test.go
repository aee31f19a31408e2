package command

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where App-Interface has not changed, no other server is asked.
func TestCheckEndsEarly(t *testing.T) {
	ref := map[string]string{"/graphql": "1", "/graphqlsha/abc": "1"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answer := `{"data":{"apps_v1":[]}}`
		if strings.Contains(string(body), "saas_files") {
			answer = `{"data":{"saas_files":[{"name":"saas","resourceTemplates":[{"targets":[{"ref":"` + ref[r.URL.Path] + `"}]}]}]}}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	environ := map[string]string{
		"PREVIOUS_BUNDLE_SHA": "abc", "GIT_PARTITION_SAAS_NAME": "saas", "GRAPHQL_SERVER": server.URL + "/graphql",
		"PUBLIC_KEY":      "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
		"GITLAB_BASE_URL": "http://127.0.0.1:1", "GITLAB_USERNAME": "u", "GITLAB_TOKEN": "t",
		"AWS_REGION": "r", "AWS_S3_BUCKET": "b", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_MAX_ATTEMPTS": "1",
	}
	for name, value := range environ {
		t.Setenv(name, value)
	}
	var out bytes.Buffer
	app := newApp()
	app.Writer = &out
	require.NoError(t, app.Run(t.Context(), []string{"starter", "check"}))
	require.Equal(t, "nothing to check: the syncs, and the version that is deployed, are those of PREVIOUS_BUNDLE_SHA\n", out.String())

	ref["/graphql"] = "2"
	require.ErrorContains(t, newApp().Run(t.Context(), []string{"starter", "check"}), "127.0.0.1:1", "then the bucket is asked")
}
