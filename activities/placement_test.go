package activities

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
)

// increment is one that is ready to be uploaded, on the snapshot that the bucket has.
func (r *rig) increment() producing {
	r.Helper()
	r.commit(random(20_000))
	r.produce()
	r.commit("two")
	return r.encrypted(r.planned())
}

// A producer that was held up does not put an old state over a newer one.
func TestStaleUploadIsNotMade(t *testing.T) {
	t.Parallel()
	for name, sizes := range map[string][]int{"nothing was there": nil, "a snapshot was": {20_000}, "an increment was": {90_000, 9_000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for _, size := range sizes {
				r.commit(random(size))
				r.produce()
			}
			r.commit("two")
			slow := r.encrypted(r.planned())
			three := r.commit("three")
			onAnotherDisk(r, &r.producer.Common, func() { require.Len(t, r.produce(), 1) })
			before := r.keys()
			sent := r.puts()
			require.Contains(t, fails(r, "Overtaken", r.upload, slow), "another upload came first")
			require.Zero(t, sent.Load())
			require.ElementsMatch(t, before, r.keys())
			r.consume()
			require.Equal(t, three, r.tip())
		})
	}
}

// What was uploaded for another branch of the project is no conflict.
func TestWhatOvertakesNoUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inRealTime()
	slow := r.increment()
	awaitNextSecond()
	other := slow.Bundle.ID
	other.Destination.Branch = "other"
	key, err := other.Key()
	require.NoError(t, err)
	r.put(key, nil)
	must(r, r.upload, slow)
	require.NoError(t, r.producer.Bucket.Delete(t.Context(), key))
	r.consume()
	require.Equal(t, slow.Bundle.Commit, r.tip())
}

// An attempt that was given up comes late: another run has uploaded the same commit meanwhile, and the consumer has pushed it. What was
// made before that would be a replay to the consumer.
func TestSameCommitIsNotUploadedAgain(t *testing.T) {
	t.Parallel()
	for _, looked := range []bool{false, true} {
		t.Run(fmt.Sprintf("after it has looked %t", looked), func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.inRealTime()
			slow := r.increment()
			awaitNextSecond()
			overtake := func() {
				onAnotherDisk(r, &r.producer.Common, func() { require.Equal(t, slow.Bundle.ID, r.produce()[0].ID) })
				r.consume()
			}
			if looked {
				r.lag.before = func(req *http.Request) {
					if req.Method == http.MethodGet { // the last look, after the object itself was asked for
						r.lag.before = nil
						overtake()
					}
				}
			} else {
				overtake()
			}
			left := must(r, r.upload, slow)
			require.Contains(t, left.Summary, "another upload came first")
			require.Empty(t, left.Key)
			awaitNextSecond()
			r.arrives(r.commit("three"))
		})
	}
}

// A key of the destination in another spelling, forged or from before the sync was spelled back, is what the next upload
// comes after: it makes nobody take the destination's own older objects for newer ones.
func TestOtherSpellingStopsNoUpload(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	r.inRealTime()
	r.arrives(r.commit(random(20_000)))
	other := r.sync.Destination
	other.Group = strings.ToUpper(other.Group)
	key, err := object.ID{Destination: other, Commit: strings.Repeat("f", 40)}.Key()
	require.NoError(t, err)
	awaitNextSecond()
	r.put(key, []byte("forged"))
	require.Contains(t, r.planned().Reason, "the bucket has it as "+other.String())
	r.arrives(r.commit("two"))
	require.Empty(t, r.produce())
}

// Of two uploads in the same moment, the one that was there first stays, and the other is taken back.
func TestUploadThatLostTheRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inRealTime()
	slow := r.increment()
	key, err := slow.Bundle.ID.Key()
	require.NoError(t, err)
	rival, err := object.ID{Destination: slow.Bundle.Destination, Commit: strings.Repeat("f", 40)}.Key()
	require.NoError(t, err)
	store := r.direct()
	r.lag.before = func(req *http.Request) {
		if req.Method == http.MethodPut {
			require.NoError(t, store.Upload(t.Context(), rival, strings.NewReader("x"), 1))
			awaitNextSecond()
		}
	}
	require.Contains(t, fails(r, "Overtaken", r.upload, slow), rival)
	r.lag.before = nil
	require.Contains(t, r.keys(), rival)
	require.NotContains(t, r.keys(), key, "taken back")

	t.Run("also when the key was there before", func(t *testing.T) {
		require.NoError(t, store.Delete(t.Context(), rival))
		r.put(key, nil)
		awaitNextSecond()
		r.lag.before = func(req *http.Request) {
			if req.Method == http.MethodPut {
				require.NoError(t, store.Upload(t.Context(), rival, strings.NewReader("x"), 1))
				awaitNextSecond()
			}
		}
		fails(r, "Overtaken", r.upload, slow)
		require.NotContains(t, r.keys(), key, "it would be the newest")
	})
}

// A worker is killed when it has stored its object and has not looked yet what came before.
func TestUploadThatWasCutOff(t *testing.T) {
	t.Parallel()
	for name, others := range map[string][]string{"alone": nil, "after another one": {"after"}, "after another one, and before another one": {"after", "before"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.inRealTime()
			r.arrives(r.commit(random(20_000)))
			second := r.commit("two")
			slow := r.encrypted(r.planned())
			key, err := slow.Bundle.ID.Key()
			require.NoError(t, err)
			upload := func(content string) (commit string) {
				commit = r.commit(content)
				onAnotherDisk(r, &r.producer.Common, func() { require.Len(t, r.produce(), 1) })
				return commit
			}
			if len(others) > 0 {
				second = upload("three")
			}
			awaitNextSecond()
			run, err := r.producer.Staging.Run(slow.Staged.Run)
			require.NoError(t, err)
			object, err := run.Open(objectFile)
			require.NoError(t, err)
			require.NoError(t, r.direct().Upload(t.Context(), key, object, slow.Size, bucket.WithCreatedAt(slow.CreatedAt)))
			require.NoError(t, object.Close())
			if len(others) > 1 {
				second = upload("four")
			}
			before := r.keys()
			sent := r.puts()
			switch len(others) {
			case 0:
				require.Equal(t, key, must(r, r.upload, slow).Key)
			case 1: // which is the catalog's
				require.Contains(t, must(r, r.upload, slow).Summary, "left to the next cycle")
			default:
				fails(r, "Overtaken", r.upload, slow)
			}
			require.Zero(t, sent.Load(), "what is there is not sent again")
			require.Equal(t, len(others) != 1, slices.Equal(before, r.keys()), "it goes only where it is the newest")
			r.consume()
			require.Equal(t, second, r.tip())
		})
	}
}

// Nobody can tell which of two uploads of one second came first. One of them stays at most, and an upload that was done before
// the other came is never taken back.
func TestUploadsOfOneSecond(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rivalFirst, rivalGoes, stays bool
	}{
		"the other one is to stay": {rivalFirst: true, rivalGoes: true},
		"the other one was done":   {},
		"the other one goes":       {rivalGoes: true, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.inRealTime()
			slow := r.increment()
			key, err := slow.Bundle.ID.Key()
			require.NoError(t, err)
			rival := r.rivalOf(slow.Bundle.ID, test.rivalFirst)
			bucket := r.direct()
			var gone sync.WaitGroup
			r.lag.before = func(req *http.Request) {
				if req.Method != http.MethodPut {
					return
				}
				awaitNextSecond()
				require.NoError(t, bucket.Upload(t.Context(), rival, strings.NewReader("x"), 1))
				if test.rivalGoes {
					gone.Go(func() {
						time.Sleep(3 * clockTick)
						require.NoError(t, bucket.Delete(t.Context(), rival))
					})
				}
			}
			if test.stays {
				must(r, r.upload, slow)
				require.Contains(t, r.keys(), key)
			} else {
				require.Contains(t, fails(r, "Overtaken", r.upload, slow), rival)
				require.NotContains(t, r.keys(), key)
			}
			gone.Wait()
			require.Equal(t, !test.rivalGoes, slices.Contains(r.keys(), rival))
		})
	}
}

// Which of several came first and last is told by their times, not by the order of their keys in a listing.
func TestFirstAndLastOfNewer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	keys := make([]string, 3)
	for i := range keys {
		var err error
		keys[i], err = object.ID{Destination: r.sync.Destination, Commit: random(20)}.Key()
		require.NoError(t, err)
	}
	slices.Sort(keys)
	for _, i := range []int{1, 2, 0} {
		awaitNextSecond()
		r.put(keys[i], nil)
	}
	id := object.ID{Destination: r.sync.Destination, Commit: random(20)}
	first, last, err := placement{producer: r.producer, UploadInput: UploadInput{ID: id}}.findNewer(t.Context())
	require.NoError(t, err)
	require.Equal(t, keys[1], first.Key)
	require.Equal(t, keys[0], last.Key)

	for o, err := range objectsSince(t.Context(), r.producer.Bucket, r.sync.Destination, plan.ChainState{}) {
		require.NoError(t, err)
		require.Equal(t, keys[0], o.Key)
		break // as who has found one does: the others are not listed then
	}
}

// rivalOf is the key of another object on the same base, that comes before or after by its name.
func (r *rig) rivalOf(id object.ID, before bool) string {
	r.Helper()
	own, err := id.Key()
	require.NoError(r, err)
	for range 10_000 {
		id.Commit = random(20)
		name, err := id.Key()
		require.NoError(r, err)
		if (name < own) == before {
			return name
		}
	}
	r.Fatalf("no key comes before %s: %v", own, before)
	return ""
}
