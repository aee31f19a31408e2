package activities

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// askedDestination counts how often the destination's refs are read, and how often it is pushed to.
type askedDestination struct {
	DestinationForge
	looks, pushes int
}

func (d *askedDestination) EachRef(ctx context.Context, project string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	d.looks++
	return d.DestinationForge.EachRef(ctx, project, wanted, visit)
}

func (d *askedDestination) Push(ctx context.Context, request smarthttp.PushRequest) error {
	d.pushes++
	return d.DestinationForge.Push(ctx, request)
}

// What Download has seen of the destination is not read again, and does not count any more where it has changed since.
func TestPushGoesByWhatDownloadHasSeen(t *testing.T) {
	t.Parallel()
	withKeys, withoutKeys := newTrustedRig, newRig
	for name, tt := range map[string]struct {
		rig       func(*testing.T) *rig
		meanwhile func(r *rig, first string)
		looks     int // of Push
		fails     string
	}{
		"nothing has changed":                {withKeys, func(*rig, string) {}, 1, ""},
		"nothing has changed, without keys":  {withoutKeys, func(*rig, string) {}, 1, ""},
		"the branch has moved":               {withKeys, func(r *rig, first string) { r.at(r.foreign(first)) }, 2, ""},
		"the branch has moved, without keys": {withoutKeys, func(r *rig, first string) { r.at(r.foreign(first)) }, 2, ""},
		"the branch is gone":                 {withKeys, func(r *rig, _ string) { r.atDestination("update-ref", "-d", r.sync.Destination.Ref()) }, 2, ""},
		// As by a newer run, after which somebody has put the branch back.
		"the replay guard has moved on": {withKeys, func(r *rig, first string) {
			was := r.remembered()
			r.atDestination("update-ref", "-d", was)
			r.atDestination("update-ref", replayGuard{prefix: appliedRefPrefix(r.sync.Destination)}.refAt(time.Now().Add(time.Hour)), first)
		}, 1, "Replayed"},
		"the replay guard is gone":   {withKeys, func(r *rig, _ string) { r.atDestination("update-ref", "-d", r.remembered()) }, 3, ""},
		"pushes see no replay guard": {withKeys, func(r *rig, _ string) { r.atDestination("config", "receive.hideRefs", ownRefs) }, 2, "RefForbidden"},
		"something is on its way":    {withKeys, func(r *rig, first string) { r.atDestination("update-ref", incomingRef(r.sync.Destination), first) }, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tt.rig(t)
			asked := &askedDestination{DestinationForge: r.consumer.Destination}
			r.consumer.Destination = asked
			first := r.commit("one")
			r.arrives(first)
			tip := r.commit("two")
			r.produce()
			decrypted := must(r, r.decrypt, r.received())
			tt.meanwhile(r, first)
			asked.looks = 0
			if tt.fails != "" {
				fails(r, tt.fails, r.push, decrypted)
				require.Equal(t, first, r.tip())
				return
			}
			pushed := must(r, r.push, decrypted)
			require.Equal(t, tip, r.tip())
			require.Equal(t, tip, pushed.Commit)
			require.Equal(t, tt.looks, asked.looks)
			if r.consumer.Verifier.Verifies() {
				r.remembered() // and nothing else
			}
			require.Empty(t, r.planPushes().Moves)
		})
	}
}

// A ref that stands in the way of the replay guard, and was not there yet when Download read the destination, is removed all the same.
func TestGuardIsBlockedBeforePush(t *testing.T) {
	t.Parallel()
	r := newTrustedRig(t)
	first := r.commit("one")
	r.arrives(first)
	tip := r.commit("two")
	r.produce()
	decrypted := must(r, r.decrypt, r.received())
	guard := replayGuard{prefix: appliedRefPrefix(r.sync.Destination)}.refAt(decrypted.Bundles[0].CreatedAt)
	r.atDestination("update-ref", guard+"/x", first)
	asked := &askedDestination{DestinationForge: r.consumer.Destination}
	r.consumer.Destination = asked
	must(r, r.push, decrypted)
	require.Equal(t, tip, r.tip())
	require.Equal(t, guard, r.remembered())
	require.Equal(t, 3, asked.pushes, "it is refused, the other ref is removed, and it is accepted")
}

// GitLab creates a project that does not exist when it is asked for the refs of a push. Push does not ask for those of one that is gone.
func TestProjectIsGoneBeforePush(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		verifies, isNew bool
		later           time.Duration
	}{
		"with keys":                  {true, false, seenFor + time.Second},
		"without keys":               {false, false, seenFor + time.Second},
		"without keys, a new branch": {false, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigWithoutProject(t, gitserver.OnDiscovery, nil)
			r.consumer.CreateProjects = false
			require.NoError(t, r.destination.Create(t.Context(), destinationRepo))
			if !tt.verifies {
				r.consumer.Verifier = sign.Unverified()
			}
			if !tt.isNew {
				r.arrives(r.commit("one"))
			}
			r.commit("two")
			r.produce()
			decrypted := must(r, r.decrypt, r.received())
			require.NotNil(t, decrypted.Target.Seen)
			require.NoError(t, os.RemoveAll(r.destination.Dir(destinationRepo)))
			r.consumer.Clock = func() time.Time { return time.Now().Add(tt.later) }
			fails(r, "ProjectNotFound", r.push, decrypted)
			require.NoDirExists(t, r.destination.Dir(destinationRepo))
		})
	}
}

// foreign is a commit of somebody else's at the destination.
func (r *rig) foreign(parent string) string {
	r.Helper()
	out, err := r.destination.Git(r.Context(), destinationRepo, "-c", "user.name=x", "-c", "user.email=x@example.com",
		"commit-tree", "-p", parent, "-m", "another", parent+"^{tree}")
	require.NoError(r, err)
	return strings.TrimSpace(out)
}

// An attempt that comes after one that was interrupted finds what that has done, and sends nothing again.
func TestPushIsTakenUpFromWhatWasSeen(t *testing.T) {
	t.Parallel()
	for name, several := range map[string]bool{"one object": false, "several": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.arrives(r.commit(random(60_000)))
			tip := r.commit(random(6_000))
			r.produce()
			want, again := []int{1, 1}, []int{2, 1}
			if several { // the branch follows in a later push, and is read before the first
				tip = r.commit("three")
				r.produce()
				want, again = []int{2, 2}, []int{2, 0}
			}
			decrypted := must(r, r.decrypt, r.received())
			asked := &askedDestination{DestinationForge: r.consumer.Destination}
			r.consumer.Destination = asked
			for _, want := range [][]int{want, again} {
				asked.looks, asked.pushes = 0, 0
				must(r, r.push, decrypted)
				require.Equal(t, want, []int{asked.looks, asked.pushes})
				require.Equal(t, tip, r.tip())
			}
		})
	}
}

// Push reads the destination itself where the result of Download cannot tell enough, or where something has to be known on the way.
func TestPushLooksItself(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rig, *consuming){
		"an older worker's Download": func(_ *rig, c *consuming) { c.Target.Seen = nil },
		"a Download of long ago":     func(_ *rig, c *consuming) { c.Target.Seen.At = c.Target.Seen.At.Add(-seenFor) },
		"a clock that was put back":  func(_ *rig, c *consuming) { c.Target.Seen.At = c.Target.Seen.At.Add(time.Hour) },
		"fast-forwards only":         func(r *rig, _ *consuming) { r.consumer.FastForwardOnly = true },
		"a ref that is no guard":     func(_ *rig, c *consuming) { c.Target.Seen.Guard["refs/heads/x"] = c.Target.Commit },
		"a guard of the future": func(r *rig, c *consuming) {
			c.Target.Seen.Guard[replayGuard{prefix: appliedRefPrefix(r.sync.Destination)}.refAt(time.Now().AddDate(1, 0, 0))] = c.Target.Commit
		},
		"no guard": func(_ *rig, c *consuming) { clear(c.Target.Seen.Guard) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrustedRig(t)
			r.arrives(r.commit("one"))
			tip := r.commit("two")
			r.produce()
			decrypted := must(r, r.decrypt, r.received())
			require.NotNil(t, decrypted.Target.Seen)
			change(r, &decrypted)
			asked := &askedDestination{DestinationForge: r.consumer.Destination}
			r.consumer.Destination = asked
			must(r, r.push, decrypted)
			require.Equal(t, tip, r.tip())
			require.Equal(t, 2, asked.looks)
		})
	}

	unwanted := newTrustedRig(t)
	unwanted.arrives(unwanted.commit("one"))
	unwanted.atDestination("update-ref", appliedRefPrefix(unwanted.sync.Destination)+"junk", unwanted.tip())
	unwanted.commit("two")
	unwanted.produce()
	require.Nil(t, unwanted.received().Target.Seen)
	unwanted.consume()
	require.False(t, slices.ContainsFunc(unwanted.ownRefs(), func(ref string) bool { return strings.HasSuffix(ref, "junk") }))
}
