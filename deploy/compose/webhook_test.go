package compose_test

import (
	"time"

	"github.com/stretchr/testify/require"
)

// quick is how soon a push arrives of which both sides hear: the consumer looks at the catalog every ten seconds.
const quick = time.Minute

// testPushEvents pushes while both sides' next cycles are a day away. The source forge delivers pushes to the producer.
func testPushEvents(s *stack, work workTree) {
	s.schedule("24h")
	s.Cleanup(func() { s.schedule("3s") })
	// What is pushed first may be found by cycles that are under way.
	for _, message := range []string{"heard of", "heard of again"} {
		s.push(work, message)
		pushed := time.Now()
		s.awaitInSync(s.syncs()[0])
		require.Less(s, time.Since(pushed), quick)
	}
	require.Eventually(s, func() bool {
		return len(s.query("SOURCE_PROMETHEUS_PORT", `sum(git_partition_sync_webhook_deliveries_total{outcome="accepted"}) > 1`)) == 1
	}, quick, pollInterval)
}

// schedule has both sides begin their cycles that far apart.
func (s *stack) schedule(every string) {
	s.Helper()
	for _, role := range []string{"producer", "consumer"} {
		s.run("docker", "exec", container(role), "/starter", "--role", role, "schedule", "create", "--every", every)
	}
}
