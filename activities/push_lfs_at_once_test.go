package activities

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

// Two branches of a project need the same object at the same time: the worker sends it once.
func TestTwoBranchesSendAnLFSObjectOnce(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	objects := r.store("one")
	r.commitPointers(objects...)
	r.atSource("branch", "other", "main")
	other := r.sync
	other.Source.Branch, other.Destination.Branch = "other", "other"
	r.configure(r.sync, other)
	for _, move := range must(r.rig, r.producer.PlanUploads, PlanRequest{}).Moves {
		r.uploadWith(move, lfs.NewList(objects))
	}
	var both []consuming
	for _, move := range r.planPushes().Moves {
		both = append(both, must(r.rig, r.rig.decrypt, must(r.rig, r.download, move)))
	}
	require.Len(t, both, 2)

	// The first that sends it waits until the other has been told that it is needed.
	var asked sync.WaitGroup
	asked.Add(2)
	var questions atomic.Int32
	r.consumer.LFS = spiedLFS{
		LFSDestination: r.consumer.LFS,
		batch: func(lfsapi.Operation, []lfs.Object) {
			if questions.Add(1) <= 2 {
				asked.Done()
			}
		},
		upload: func(_ lfsapi.Transfer, send func() error) error {
			asked.Wait()
			time.Sleep(100 * time.Millisecond)
			return send()
		},
	}
	results := make([]PushedLFS, 2)
	var group sync.WaitGroup
	for i, d := range both {
		group.Go(func() {
			env := newActivities()
			env.RegisterActivity(r.consumer.PushLFS)
			value, err := env.ExecuteActivity(r.consumer.PushLFS, d.Work, PushInput{Target: d.Target, Bundles: d.Bundles})
			if err == nil {
				err = value.Get(&results[i])
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Equal(t, 1, results[0].Sent+results[1].Sent)
	require.Equal(t, 1, results[0].There+results[1].There)
	require.Equal(t, 1, r.lfs.Counts().Uploads)
}

// No more are on their way at a time than there is room for.
func TestLFSObjectsInFlight(t *testing.T) {
	t.Parallel()
	r := newPushLFSRig(t)
	var contents []string
	for range 12 {
		contents = append(contents, random(5))
	}
	contents = append(contents, random(60), random(70))
	objects := r.store(contents...)
	r.commitPointers(objects...)
	r.produceWith(lfs.NewList(objects))
	d := r.decrypted()

	var mu sync.Mutex
	var now, most, bytes, mostBytes int64
	note := func(n, size int64) {
		mu.Lock()
		defer mu.Unlock()
		now, bytes = now+n, bytes+size
		most, mostBytes = max(most, now), max(mostBytes, bytes)
	}
	r.consumer.LFS = spiedLFS{LFSDestination: r.consumer.LFS, upload: func(t lfsapi.Transfer, send func() error) error {
		note(1, t.Size)
		defer note(-1, -t.Size)
		time.Sleep(20 * time.Millisecond)
		return send()
	}}
	run, err := r.consumer.Staging.Run(d.Staged.Run)
	require.NoError(t, err)
	meter := startMeter(t.Context(), 0)
	defer meter.stop()
	p := r.consumer.newPush(d.Work, PushInput{Target: d.Target, Bundles: d.Bundles}, run, meter)
	require.NoError(t, r.consumer.readInto(t.Context(), p, d.Work))
	var pushed PushedLFS
	delivery, err := r.consumer.newLFSDelivery(p, &pushed, 100)
	require.NoError(t, err)
	require.NoError(t, delivery.deliver(t.Context(), lfs.NewList(objects)))
	require.Equal(t, 14, pushed.Sent)
	require.Equal(t, int64(lfsTransfers), most)
	require.Equal(t, int64(140), mostBytes, "the largest, alone")
}
