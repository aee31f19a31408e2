package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/turn"
)

const (
	// A bucket of so many destinations does not fit into memory at once.
	manyDestinations = 3_000
	chainLength      = 8
)

func manyth(i int) project.Branch {
	return project.Branch{Group: "mirror/platform", Name: fmt.Sprintf("project-%05d", i/2), Branch: fmt.Sprintf("branch-%05d", i)}
}

// commitOf has the keys of increments come after those of snapshots, as fullBucket gives objects times in the order of their keys.
func commitOf(n int) string { return fmt.Sprintf("f%039x", n) }

// manyKeys are chains for all of them.
func manyKeys(t *testing.T) []string {
	t.Helper()
	keys := make([]string, 0, manyDestinations*chainLength)
	for n := range chainLength {
		for i := range manyDestinations {
			k := object.ID{Destination: manyth(i), Commit: commitOf(n)}
			if n > 0 {
				k.Base = commitOf(n - 1)
			}
			key, err := k.Key()
			require.NoError(t, err)
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// scanned is what one scan of both sides finds out.
type scanned struct {
	checked, upToDate, left int
	moves                   []project.Branch
	reached                 turn.Position
}

// scanner runs a scan. What it is told of each move is its destination, and the length of the chain that it knows.
func scanner[M any](t *testing.T, env *testsuite.TestActivityEnvironment, scan func(context.Context, PlanRequest) (plan.Page[M], error), tell func(M) (project.Branch, int)) func(PlanRequest) scanned {
	return func(r PlanRequest) scanned {
		t.Helper()
		value, err := env.ExecuteActivity(scan, r)
		require.NoError(t, err)
		var p plan.Page[M]
		require.NoError(t, value.Get(&p))
		require.Empty(t, p.Failed)
		s := scanned{checked: p.Checked, upToDate: p.UpToDate, left: p.Left, reached: p.Reached}
		for _, move := range p.Moves {
			destination, length := tell(move)
			require.Equal(t, chainLength, length)
			s.moves = append(s.moves, destination)
		}
		return s
	}
}

// refsOf answers for all branches with one commit, and with another one for every tenth project if those have moved. It counts how
// often each project is asked for.
type refsOf struct {
	moved bool
	mu    sync.Mutex
	asked map[string]int
}

func (r *refsOf) EachRef(_ context.Context, path string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[path]++
	at := commitOf(chainLength - 1)
	if r.moved && strings.HasSuffix(path, "0") {
		at = commitOf(99)
	}
	for _, name := range wanted.Names {
		if strings.HasPrefix(name, "refs/heads/") {
			if err := visit(smarthttp.Ref{Name: name, Object: at}); err != nil {
				return err
			}
		}
	}
	return nil
}

// again is how many questions there were beyond one for each project.
func (r *refsOf) again() (again int) {
	for _, n := range r.asked {
		again += n - 1
	}
	return again
}

type (
	sourceOf struct {
		SourceForge
		*refsOf
	}
	destinationOf struct {
		DestinationForge
		*refsOf
	}
)

func (s sourceOf) EachRef(ctx context.Context, path string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	return s.refsOf.EachRef(ctx, path, wanted, visit)
}

func (d destinationOf) EachRef(ctx context.Context, path string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	return d.refsOf.EachRef(ctx, path, wanted, visit)
}

// What a bucket holds besides what fits into memory is read in further parts: a page covers all branches when nothing has
// to move, and pages one after the other have each branch that has to, with its whole chain.
func TestLargeBucketIsReadInParts(t *testing.T) {
	t.Parallel()
	keys := manyKeys(t)
	b := fullBucket(t, len(keys), func(i int) string { return keys[i] })
	held, err := readBucket(t.Context(), b, selection{allow: project.AllowAll()})
	require.NoError(t, err)
	require.Less(t, len(held.chains), manyDestinations, "not all of it fits")
	require.Equal(t, manyDestinations, len(held.chains)+held.omitted.Configured)

	var syncs []project.Sync
	for i := range manyDestinations {
		syncs = append(syncs, project.Sync{Source: manyth(i), Destination: manyth(i)})
	}
	heads := &refsOf{asked: map[string]int{}}
	began := time.Now()
	common := Common{Bucket: b, Clock: func() time.Time { return began }} // a busy machine would end pages by their time
	producer := &Producer{Syncs: &listed{syncs: syncs}, Source: sourceOf{refsOf: heads}, Common: common, Signer: sign.Unsigned()}
	consumer := &Consumer{Destination: destinationOf{refsOf: heads}, Common: common, Allow: project.AllowAll(), Verifier: sign.Unverified()}
	env := newActivities()
	env.RegisterActivity(producer)
	env.RegisterActivity(consumer)
	for name, scan := range map[string]func(PlanRequest) scanned{
		"producer": scanner(t, env, producer.PlanUploads, func(u plan.Upload) (project.Branch, int) { return u.Sync.Destination, len(u.SeenChain.Commits) }),
		"consumer": scanner(t, env, consumer.PlanPushes, func(p plan.Push) (project.Branch, int) { return p.Destination, len(p.Objects) }),
	} {
		t.Run(name, func(t *testing.T) {
			heads.moved, heads.asked = false, map[string]int{}
			idle := scan(PlanRequest{PageRequest: plan.PageRequest{Order: 5}})
			idle.reached = 0
			require.Equal(t, scanned{checked: manyDestinations, upToDate: manyDestinations}, idle)
			require.LessOrEqual(t, heads.again(), 1, "where one part ends")

			heads.moved, heads.asked = true, map[string]int{}
			request := PlanRequest{PageRequest: plan.PageRequest{Order: 5, Size: 200}}
			var moved []project.Branch
			checked := 0
			for pages := 1; ; pages++ {
				page := scan(request)
				moved = append(moved, page.moves...)
				checked += page.checked
				require.Equal(t, manyDestinations, checked+page.left)
				if request.After = page.reached; page.left == 0 {
					break
				}
				require.Less(t, pages, 10)
			}
			require.Len(t, moved, manyDestinations/10)
			slices.SortFunc(moved, func(a, b project.Branch) int { return strings.Compare(a.String(), b.String()) })
			require.Len(t, slices.Compact(moved), manyDestinations/10)
			// Who answers late lets others get ahead, by dozens on a busy machine. Without an end it would be twice as many.
			require.Less(t, heads.again(), manyDestinations/30, "not much further than the page goes")
		})
	}
}
