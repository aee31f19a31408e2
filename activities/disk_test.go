package activities

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/internal/testserver/rusage"
)

// The consumer needs as much of the disk as it downloads, and so does the producer, but for the object that Encrypt makes of the
// bundle beside it.
func TestDiskDoesNotGrow(t *testing.T) {
	r := newTrustedRig(t)
	producing, consuming := t.TempDir(), t.TempDir()
	for dir, area := range map[string]**staging.Area{producing: &r.producer.Staging, consuming: &r.consumer.Staging} {
		opened, err := staging.Open(t.Context(), dir, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, opened.Close()) })
		*area = opened
	}
	tip := r.commit(random(16 << 20))

	p := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	pack := float64(p.Bundle.Size)
	step := func(dir string, limit float64, run func()) {
		t.Helper()
		peak := rusage.WatchDisk(t, dir)
		run()
		require.LessOrEqual(t, float64(peak()), limit*pack)
	}
	step(producing, 1.1, func() { p = must(r, r.pack, p) })
	step(producing, 2.1, func() { p = must(r, r.encrypt, p) })
	step(producing, 2.1, func() { must(r, r.upload, p) })
	step(producing, 1.1, r.publish)

	step(consuming, 1.1, func() { must(r, r.push, must(r, r.decrypt, r.received())) })
	require.Equal(t, tip, r.tip())
}
