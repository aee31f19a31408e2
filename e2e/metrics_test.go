package e2e_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/port"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// TestMetrics reads what workers count while branches move and one cannot, and finds there all that
// the alerts and the dashboard ask for.
func TestMetrics(test *testing.T) {
	test.Parallel()
	t := begin(test)
	address := map[stack.Role]string{}
	for _, role := range stack.Roles {
		address[role] = freeAddress(t)
		require.NoError(t, t.Workers[role].Stop())
		_, port, err := net.SplitHostPort(address[role])
		require.NoError(t, err)
		environ := map[stack.Role][]string{stack.Producer: {"METRICS_SERVER_PORT=" + port, "INSTANCE_SHARD=one"}, stack.Consumer: {"HEALTH_ADDRESS=" + address[role]}}
		require.NoError(t, t.StartWorker(t.Context(), role, environ[role]...))
	}
	defer restartWorkers(t) // the others serve nothing
	configure(t,
		[2]string{"metrics/app@main", "mirror/metrics/app@main"},
		[2]string{"metrics/app@gone", "mirror/metrics/app@gone"})
	commit(t, "metrics/app@main")
	create(t, t.Destination, "mirror/metrics/app")

	failingCycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	cycle(t, stack.Consumer)

	producer, consumer := scrape(t, address[stack.Producer]), scrape(t, address[stack.Consumer])
	for _, want := range []string{
		`git_partition_sync_branches_total{[^}]*state="behind"[^}]*} 2`,
		`git_partition_sync_failures_total{activity_type="Clone",[^}]*kind="BranchNotFound",[^}]*role="producer"[^}]*} 1`,
		`git_partition_sync_bytes_total{activity_type="Upload",[^}]*} [1-9]`,
		`temporal_workflow_failed_total{[^}]*workflow_type="ProducerSync"} 1`,
		`qontract_reconcile_last_run_status{integration="git-partition-sync-producer",shard_id="one"} 1`,
	} {
		require.Regexp(t, "(?m)^"+want, producer)
	}
	for _, want := range []string{
		`git_partition_sync_branches_total{[^}]*state="up_to_date"[^}]*} 1`,
		`git_partition_sync_branches_total{[^}]*state="behind"[^}]*} 1`,
		`git_partition_sync_bytes_total{activity_type="Push",[^}]*role="consumer"[^}]*} [1-9]`,
		`temporal_workflow_completed_total{[^}]*workflow_type="ConsumerSync"} 2`,
		`qontract_reconcile_execution_counter_total{integration="git-partition-sync-consumer",shard_id="fedramp"} 2`,
		`qontract_reconcile_last_run_status{integration="git-partition-sync-consumer",shard_id="fedramp"} 0`,
		`qontract_reconcile_last_run_seconds{integration="git-partition-sync-consumer",shard_id="fedramp"} \d`,
	} {
		require.Regexp(t, "(?m)^"+want, consumer)
	}

	require.NotContains(t, producer, "qontract_reconcile_execution_counter_total{", "its cycle failed")

	name := regexp.MustCompile(`\b(temporal|process)_[a-z_]+`) // ours are there in some states only
	for _, file := range []string{"rules.yml", "dashboard.json"} {
		text, err := os.ReadFile("../deploy/observability/" + file)
		require.NoError(t, err)
		names := name.FindAllString(string(text), -1)
		require.NotEmpty(t, names, file)
		for _, n := range names {
			require.Regexp(t, "(?m)^"+n+"[{ ]", producer+consumer, file)
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := port.Free()
	require.NoError(t, err)
	return address
}

func scrape(t testing.TB, address string) string {
	t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	page, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(page)
}
