package e2e_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

var pushes = flag.Int("pushes", 50, "how many pushes BenchmarkLatency measures")

// BenchmarkLatency measures how long a push to a source takes until its destination has it, while the consumer looks at the
// catalog every two seconds: with a webhook at the source, and with a producer that looks at its sources every two seconds.
func BenchmarkLatency(b *testing.B) {
	b.Run("webhook", func(b *testing.B) { measureLatency(b, true) })
	b.Run("schedule", func(b *testing.B) { measureLatency(b, false) })
}

func measureLatency(b *testing.B, webhook bool) {
	s := begin(b)
	const source, destination = "latency/app@main", "mirror/latency/app@main"
	configure(s, [2]string{source, destination}, [2]string{"latency/other@main", "mirror/latency/other@main"})
	first := ""
	for _, name := range []string{"other", "app"} {
		first = commit(s, "latency/"+name+"@main")
		create(s, s.Destination, "mirror/latency/"+name)
	}
	every, address := stack.CycleEvery.String(), freeAddress(b)
	if webhook {
		every = "24h"
		require.NoError(b, s.Workers[stack.Producer].Stop())
		require.NoError(b, s.StartWorker(b.Context(), stack.Producer, "WEBHOOK_ADDRESS="+address, "WEBHOOK_SECRETS="+hookToken))
	}
	schedule(s, stack.Producer, every)
	polling(s, "POLL_INTERVAL=2s")
	awaitHead(s, destination, first) // by the schedule's first cycle, which may be the only one

	var whole, own []time.Duration
	for b.Loop() {
		for range *pushes {
			time.Sleep(time.Duration(rand.Int64N(int64(3 * time.Second)))) // at no fixed time between two polls
			sha := commit(s, source)
			pushed := time.Now()
			if webhook {
				status, answer := deliver(s, address, "latency/app", "refs/heads/main", byToken)
				require.Equal(b, 202, status, answer)
			}
			require.Eventually(b, func() bool { return arrived(s, destination) == sha }, time.Minute, 10*time.Millisecond)
			took := time.Since(pushed)
			whole = append(whole, took)
			own = append(own, took-waitForPoll(s))
		}
	}
	b.ReportMetric(0, "ns/op")
	lists := map[string][]time.Duration{"": whole}
	if webhook { // else the catalog is written again and again
		lists["own-"] = own
	}
	for name, list := range lists {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2].Seconds(), name+"median-s")
		b.ReportMetric(list[len(list)*95/100].Seconds(), name+"p95-s")
		b.ReportMetric(list[len(list)-1].Seconds(), name+"max-s")
	}
}

// waitForPoll is how long the last catalog was in the bucket until the cycle began that it was the reason for.
func waitForPoll(s sides) time.Duration {
	s.Helper()
	written, err := os.Stat(s.ObjectFile(catalog.Key))
	require.NoError(s, err)
	d, err := s.Temporal.Clients[stack.Consumer].DescribeWorkflow(s.Context(), "consumer-poll/sync", "")
	require.NoError(s, err)
	return max(0, d.WorkflowStartTime.Sub(written.ModTime()))
}
