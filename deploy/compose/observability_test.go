package compose_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// maxImage is the most that the product's image may have, in bytes.
const maxImage = 60_000_000

// testImage reads what the workers run from, and how.
func testImage(s *stack) {
	size, err := strconv.Atoi(s.run("docker", "image", "inspect", "--format", "{{.Size}}", "git-partition-sync"))
	require.NoError(s, err)
	s.Logf("image of %d bytes", size)
	require.Less(s, size, maxImage)
	for role, network := range map[string]string{"producer": "source", "consumer": "destination"} {
		require.Equal(s, "65532:65532", s.inspect(role, "{{.Config.User}}"))
		require.Equal(s, "true", s.inspect(role, "{{.HostConfig.ReadonlyRootfs}}"))
		require.Equal(s, "[ALL]", s.inspect(role, "{{.HostConfig.CapDrop}}"))
		require.Equal(s, projectName+"_"+network, s.inspect(role, "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}"))
	}
}

// testObservability asks each side's Prometheus what the dashboard asks.
func testObservability(s *stack) {
	text, err := os.ReadFile("../observability/dashboard.json")
	require.NoError(s, err)
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	require.NoError(s, json.Unmarshal(text, &dashboard))
	require.NotEmpty(s, dashboard.Panels)

	for _, port := range []string{"SOURCE_PROMETHEUS_PORT", "DESTINATION_PROMETHEUS_PORT"} {
		require.Eventually(s, func() bool {
			moved := s.query(port, "sum(increase(git_partition_sync_bytes_total[5m])) > 0")
			return len(s.query(port, `up{job="git-partition-sync"} == 1`)) == 1 && len(moved) == 1
		}, syncTimeout, pollInterval, port)
		for _, panel := range dashboard.Panels {
			for _, target := range panel.Targets {
				s.query(port, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
			}
		}
		var rules struct{ Groups []struct{ Rules []any } }
		require.NoError(s, s.prometheus(port, "rules", &rules))
		require.Len(s, rules.Groups, 1)
		require.NotEmpty(s, rules.Groups[0].Rules)
		require.Empty(s, s.query(port, `ALERTS{alertstate="firing"}`))
	}
}

// query evaluates an expression, which must be valid, and returns its series.
func (s *stack) query(port, expr string) []any {
	s.Helper()
	var data struct{ Result []any }
	require.NoError(s, s.prometheus(port, "query?query="+url.QueryEscape(expr), &data), expr)
	return data.Result
}

// prometheus calls its HTTP API. One that is just starting has no data.
func (s *stack) prometheus(port, call string, data any) error {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get("http://127.0.0.1:" + s.ports[port] + "/api/v1/" + call)
	if err != nil {
		return nil //nolint:nilerr // as said above
	}
	defer func() { _ = answer.Body.Close() }()
	result := struct {
		Error string
		Data  any
	}{Data: data}
	if err := json.NewDecoder(answer.Body).Decode(&result); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(result.Error)
	}
	return nil
}
