package e2e_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// maxUntold is how long it may take until all workers tell what is so: each reads it every 15 seconds, and Temporal lists a cycle a
// little after its end.
const maxUntold = 90 * time.Second

// observed are workers of both sides that Prometheus could read.
type observed struct {
	sides
	address map[stack.Role][]string
}

// addWorker starts one more worker of a side.
func (o observed) addWorker(role stack.Role) (stop *stack.Worker) {
	o.Helper()
	address := freeAddress(o)
	require.NoError(o, o.StartWorker(o.Context(), role, "HEALTH_ADDRESS="+address))
	o.address[role] = append(o.address[role], address)
	worker := o.Workers[role]
	o.Cleanup(func() { _ = worker.Stop() })
	return worker
}

// each series of a sync has its destination, and the side; those of a side have only the latter.
var viewSeries = regexp.MustCompile(`(?m)^git_partition_sync_(in_sync|behind_seconds|last_in_sync_timestamp_seconds|failing|paused|destinations_without_series|syncs|oldest_lag_seconds|side_failing|last_cycle_\w+|schedule\w*|bucket_\w+|longest_chain_objects)\{.*$`)

// toldAlike are the series that all workers of a side tell alike.
func toldAlike(page string) []string {
	all := viewSeries.FindAllString(page, -1)
	for i, s := range all {
		if strings.Contains(s, "behind_seconds") || strings.Contains(s, "oldest_lag") { // they grow from one scrape to the next
			all[i] = regexp.MustCompile(`} [1-9].*$`).ReplaceAllString(s, "} more")
		}
	}
	return all
}

// tell waits until all workers of a side tell these series, by the ends of their names, and the same of all others.
func (o observed) tell(role stack.Role, series ...string) {
	o.Helper()
	require.EventuallyWithT(o, func(c *assert.CollectT) {
		var first []string
		for i, address := range o.address[role] {
			page := toldAlike(scrape(o, address))
			if i == 0 {
				first = page
			}
			for _, s := range series {
				require.True(c, slices.Contains(page, "git_partition_sync_"+s), "%s: %s in\n%s", role, s, strings.Join(page, "\n"))
			}
			require.Equal(c, first, page)
		}
	}, maxUntold, 200*time.Millisecond)
}

// TestMetricsOfALife reads two workers of each side while a sync is idle, updated, refused and repaired, one of them is killed, and
// another one is added: whichever is read tells the same.
func TestMetricsOfALife(test *testing.T) {
	test.Parallel()
	o := observed{begin(test), map[stack.Role][]string{}}
	const source, destination, other = "life/app@main", "mirror/life/app@main", "mirror/life/still@main"
	var second *stack.Worker
	for _, role := range stack.Roles {
		require.NoError(o, o.Workers[role].Stop())
		o.addWorker(role)
		second = o.addWorker(role)
	}
	defer func() { // the others are read by nobody
		for _, role := range stack.Roles {
			require.NoError(o, o.StartWorker(o.Context(), role))
		}
	}()
	configure(o.sides, [2]string{source, destination}, [2]string{"life/still@main", other})
	for _, b := range []string{source, "life/still@main"} {
		commit(o.sides, b)
	}
	create(o, o.Destination, "mirror/life/app", "mirror/life/still")

	// Idle.
	cycle(o.sides, stack.Producer)
	cycle(o.sides, stack.Consumer)
	for _, role := range stack.Roles {
		r := string(role)
		o.tell(role, `in_sync{destination="`+destination+`",role="`+r+`"} 1`, `behind_seconds{destination="`+destination+`",role="`+r+`"} 0`,
			`in_sync{destination="`+other+`",role="`+r+`"} 1`, `syncs{role="`+r+`",state="in_sync"} 2`, `syncs{role="`+r+`",state="behind"} 0`,
			`oldest_lag_seconds{role="`+r+`"} 0`, `scheduled{role="`+r+`"} 0`)
	}

	// Updated: the consumer's workers know of it by the catalog, before any cycle of theirs.
	commit(o.sides, source)
	cycle(o.sides, stack.Producer)
	o.tell(stack.Producer, `in_sync{destination="`+destination+`",role="producer"} 1`, `bucket_objects{kind="snapshot",role="producer"} 2`)
	o.tell(stack.Consumer, `in_sync{destination="`+destination+`",role="consumer"} 0`, `behind_seconds{destination="`+destination+`",role="consumer"} more`,
		`syncs{role="consumer",state="behind"} 1`, `syncs{role="consumer",state="in_sync"} 1`, `oldest_lag_seconds{role="consumer"} more`)

	// Refused.
	hook(o.sides, "mirror/life/app", "echo 'frozen until Monday' >&2; exit 1")
	failingCycle(o.sides, stack.Consumer)
	o.tell(stack.Consumer, `failing{destination="`+destination+`",kind="PushRefused",role="consumer"} 1`, `in_sync{destination="`+destination+`",role="consumer"} 0`,
		`behind_seconds{destination="`+destination+`",role="consumer"} more`, `syncs{role="consumer",state="failing"} 1`, `in_sync{destination="`+other+`",role="consumer"} 1`)

	// Repaired, without another cycle.
	hook(o.sides, "mirror/life/app", "exit 0")
	_, err := o.Starter(o.Context(), stack.Consumer, "retry", destination)
	require.NoError(o, err)
	inSync := []string{`in_sync{destination="` + destination + `",role="consumer"} 1`, `behind_seconds{destination="` + destination + `",role="consumer"} 0`, `syncs{role="consumer",state="failing"} 0`}
	o.tell(stack.Consumer, inSync...)
	requireNoSeries(o, `failing{destination`)

	// A worker is killed: the other one goes on. One that is added tells what it told.
	o.requireDescribed()
	second.Kill()
	o.address[stack.Consumer] = o.address[stack.Consumer][:1]
	commit(o.sides, source)
	cycle(o.sides, stack.Producer)
	o.tell(stack.Consumer, `syncs{role="consumer",state="behind"} 1`)
	cycle(o.sides, stack.Consumer)
	o.tell(stack.Consumer, inSync...)
	o.addWorker(stack.Consumer)
	o.tell(stack.Consumer, inSync...)
}

func requireNoSeries(o observed, beginning string) {
	o.Helper()
	for _, role := range stack.Roles {
		for _, address := range o.address[role] {
			require.NotContains(o, scrape(o, address), "\ngit_partition_sync_"+beginning)
		}
	}
}

// requireDescribed finds a text and documented labels for each metric of ours that any worker has, and no label that changes with
// each start. Steps that have run have told how fast objects crossed.
func (o observed) requireDescribed() {
	o.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	require.NoError(o, err)
	var pages string
	for _, role := range stack.Roles {
		for _, address := range o.address[role] {
			pages += scrape(o, address)
		}
	}
	require.NotContains(o, pages, "worker-", "the name of a worker's folder is in that of its own task queue")
	require.Contains(o, pages, `task_queue="git-partition-sync-consumer/own"`)
	require.Regexp(o, `(?m)^git_partition_sync_crossing_seconds_count\{.*} [1-9]`, pages)
	help := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# HELP (\S+) \S`).FindAllStringSubmatch(pages, -1) {
		help[m[1]] = true
	}
	labels := regexp.MustCompile(`([a-z_]+)="`)
	common := []string{"role", "le", "integration", "shard_id", "namespace", "task_queue", "workflow_type", "worker_type", "client_name"}
	for _, m := range regexp.MustCompile(`(?m)^((?:git_partition_sync|qontract_reconcile)_\w+?)(?:_bucket|_sum|_count)?\{(.*)} `).FindAllStringSubmatch(pages, -1) {
		require.True(o, help[m[1]], "%s has no text", m[1])
		row := regexp.MustCompile("(?m)^\\| `" + m[1] + "` .*$").FindString(string(text))
		require.NotEmpty(o, row, m[1])
		for _, l := range labels.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(common, l[1]) {
				require.Contains(o, row, "`"+l[1]+"`", m[0])
			}
		}
	}
}
