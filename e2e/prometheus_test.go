package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/child"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// prometheus is a real one that reads both sides' workers.
type prometheus struct {
	testing.TB
	url string
}

// startPrometheus has the project's alerts evaluated, too.
func startPrometheus(t testing.TB, targets ...string) prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed: it is Debian's package of that name")
	}
	rules, err := filepath.Abs("../deploy/observability/rules.yml")
	require.NoError(t, err)
	dir, address := t.TempDir(), freeAddress(t)
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs:\n- job_name: git-partition-sync\n  static_configs: [{targets: [%s]}]\n",
		rules, strings.Join(targets, ", "))
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd := exec.Command(program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() { _ = process.Stop(time.Minute) })
	require.NoError(t, process.Await(t.Context(), child.AnswersOK("http://"+address+"/-/ready")))
	return prometheus{t, "http://" + address}
}

// query evaluates an expression, which must be valid, and returns the labels of what it finds.
func (p prometheus) query(expr string) (found []map[string]string) {
	p.Helper()
	answer, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expr))
	require.NoError(p, err)
	defer func() { _ = answer.Body.Close() }()
	var result struct {
		Error string
		Data  struct {
			Result []struct{ Metric map[string]string }
		}
	}
	require.NoError(p, json.NewDecoder(answer.Body).Decode(&result))
	require.Empty(p, result.Error, expr)
	for _, r := range result.Data.Result {
		found = append(found, r.Metric)
	}
	return found
}

// dashboardQueries are those of the dashboard for one project, each once.
func dashboardQueries(t testing.TB, destination string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../deploy/observability/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	queries := map[string]bool{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries[strings.NewReplacer("$__rate_interval", "1m", "$destination", destination).Replace(target.Expr)] = false
		}
	}
	require.Greater(t, len(queries), 25)
	return queries
}

// TestDashboardOfALife has a real Prometheus evaluate what the dashboard asks, for a project that is idle, updated, refused, paused
// and in sync again: each panel has something to show at some time of it.
func TestDashboardOfALife(test *testing.T) {
	test.Parallel()
	t, _ := newStack(test)
	var targets []string
	for _, role := range stack.Roles {
		address := freeAddress(t)
		targets = append(targets, address)
		require.NoError(t, t.Workers[role].Stop())
		require.NoError(t, t.StartWorker(t.Context(), role, "HEALTH_ADDRESS="+address))
	}
	p := startPrometheus(t, targets...)
	pair := operated("life")
	configure(t, pair, operated("other"))
	destination, _ := prepareOperated(t, "life")
	prepareOperated(t, "other")
	queries := dashboardQueries(t, destination)
	await := func(what, expr string, found bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			for query, seen := range queries {
				queries[query] = seen || len(p.query(query)) > 0
			}
			return len(p.query(expr)) > 0 == found
		}, 2*time.Minute, time.Second, "%s: %s", what, expr)
	}
	of := func(name, more string) string {
		return fmt.Sprintf(`git_partition_sync_%s{role="consumer", destination="%s"%s}`, name, destination, more)
	}

	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	await("it has arrived", of("in_sync", "")+" == 1", true)

	commit(t, pair[0])
	cycle(t, stack.Producer)
	protect(t, branch(destination).Path())
	failingCycle(t, stack.Consumer)
	await("it is refused", of("failing", `, kind="PushRefused"`)+" == 1", true)
	require.NotEmpty(t, p.query(of("behind_seconds", "")+" > 0"))
	require.NotEmpty(t, p.query(of("in_sync", "")+" == 0"))

	unprotect(t, branch(destination).Path())
	out, err := t.Starter(t.Context(), stack.Consumer, "pause", destination, "--for", "1h", "--reason", "a look at it")
	require.NoError(t, err, out)
	await("it is paused", of("paused", ""), true)
	out, err = t.Starter(t.Context(), stack.Consumer, "unpause", destination)
	require.NoError(t, err, out)
	out, err = t.Starter(t.Context(), stack.Consumer, "run", destination)
	require.NoError(t, err, out)
	await("it is in sync again", of("in_sync", "")+" == 1", true)
	await("it fails no more", of("failing", ""), false)

	require.NoError(t, os.WriteFile(t.ObjectFile("stray"), []byte("of nobody"), 0o600))
	failingCycle(t, stack.Consumer)
	await("the side as a whole", `git_partition_sync_side_failing`, true)
	for query, seen := range queries {
		require.True(t, seen, "the dashboard shows nothing of %s", query)
	}
}
