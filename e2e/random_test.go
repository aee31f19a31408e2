package e2e_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

var seed = flag.Uint64("seed", 1, "what TestRandomUpdates draws from")

// maxChain is far above what a hundred small updates need by the geometric rule.
const maxChain = 8

// team plays the people who work on the source's branches.
type team struct {
	sides
	*rand.Rand
	branches []string
	updates  int
}

// TestRandomUpdates rewrites, deletes and re-creates branches while both sides are at work. The
// consumer's cycles begin at any moment, and go on while the producer replaces objects.
func TestRandomUpdates(test *testing.T) {
	test.Parallel()
	const updates = 100
	t := begin(test)
	bucket := t.bucket
	t.Logf("drawn with -seed %d", *seed)
	team := &team{sides: t, Rand: rand.New(rand.NewPCG(*seed, 0)), branches: []string{
		"random/a@main", "random/a@next", "random/a@release/1.0", "random/b@main", "random/b@next",
	}}
	team.start()
	consumed := func() (string, error) { return "", nil }
	for team.updates < updates {
		for range 1 + team.IntN(10) {
			team.update()
		}
		team.produce(bucket)
		if team.IntN(3) == 0 {
			requireCycle(t, consumed)
			team.collectGarbage()
			consumed = startCycle(t)
		}
	}
	requireCycle(t, consumed)
	for _, name := range team.branches {
		if team.tip(name) == "" {
			team.create(name)
		}
	}
	team.produce(bucket)
	cycle(t, stack.Consumer)
	team.requireMirrored()
}

func requireCycle(t testing.TB, wait func() (string, error)) {
	t.Helper()
	out, err := wait()
	require.NoError(t, err, out)
}

func (t *team) start() {
	var pairs [][2]string
	for _, name := range t.branches {
		pairs = append(pairs, [2]string{name, "mirror/" + name})
		create(t.sides, t.Source, branch(name).Path())
		create(t.sides, t.Destination, "mirror/"+branch(name).Path())
		t.commit(name)
	}
	configure(t.sides, pairs...)
}

func (t *team) git(name string, args ...string) string {
	t.Helper()
	out, err := t.Source.Git(t.Context(), branch(name).Path(), args...)
	require.NoError(t, err)
	return out
}

// tip is "" for a branch that does not exist.
func (t *team) tip(name string) string {
	return t.git(name, "for-each-ref", "--format=%(objectname)", branch(name).Ref())
}

func (t *team) move(name, commit string) { t.git(name, "update-ref", branch(name).Ref(), commit) }

// update does one thing that people do to branches.
func (t *team) update() {
	t.updates++
	name := t.branches[t.IntN(len(t.branches))]
	tip := t.tip(name)
	if tip == "" {
		t.create(name)
		return
	}
	switch t.IntN(10) {
	default:
		t.commit(name)
	case 0, 1:
		t.merge(name, tip)
	case 2:
		t.amend(name, tip)
	case 3:
		t.move(name, t.other(name))
	case 4:
		ancestors := strings.Fields(t.git(name, "rev-list", tip))
		t.move(name, ancestors[t.IntN(len(ancestors))])
	case 5:
		t.git(name, "update-ref", "-d", branch(name).Ref())
	case 6:
		t.git(name, "tag", "--annotate", "--message=tag", fmt.Sprintf("v%d", t.updates), tip)
	}
}

func (t *team) commit(name string) {
	b := branch(name)
	content := make([]byte, t.IntN(4000))
	for i := range content {
		content[i] = byte(t.Uint32())
	}
	files := map[string]string{fmt.Sprintf("file-%d", t.IntN(10)): string(content)}
	_, err := t.Source.Commit(t.Context(), b.Path(), b.Branch, files, "commit")
	require.NoError(t, err)
}

func (t *team) merge(name, tip string) {
	t.move(name, t.git(name, "commit-tree", "-p", tip, "-p", t.other(name), "-m", fmt.Sprintf("merge %d", t.updates), tip+"^{tree}"))
}

// amend replaces the last commit by a sibling.
func (t *team) amend(name, tip string) {
	args := []string{"commit-tree", "-m", fmt.Sprintf("amended %d", t.updates)}
	for _, parent := range strings.Fields(t.git(name, "show", "--no-patch", "--format=%P", tip)) {
		args = append(args, "-p", parent)
	}
	t.move(name, t.git(name, append(args, tip+"^{tree}")...))
}

// other is the tip of any branch of the same project.
func (t *team) other(name string) string {
	tips := strings.Fields(t.git(name, "for-each-ref", "--format=%(objectname)", "refs/heads"))
	return tips[t.IntN(len(tips))]
}

// create makes a branch that does not exist, with or without a history.
func (t *team) create(name string) {
	if t.git(name, "for-each-ref", "refs/heads") == "" || t.IntN(2) == 0 {
		t.commit(name)
		return
	}
	t.move(name, t.other(name))
}

// collectGarbage removes what rewritten branches have left, as servers do at times: bases at the
// source, and what the destination could have built on.
func (t *team) collectGarbage() {
	name := t.branches[t.IntN(len(t.branches))]
	t.git(name, "gc", "--quiet", "--prune=now")
	_, err := t.Destination.Git(t.Context(), "mirror/"+branch(name).Path(), "gc", "--quiet", "--prune=now")
	require.NoError(t, err)
}

// produce runs a cycle of the producer, in which only the branches that do not exist may fail.
func (t *team) produce(b *bucket.Bucket) {
	t.Helper()
	out, err := t.Starter(t.Context(), stack.Producer, "-run-once")
	chains := chainsOf(t.sides, b)
	failed := 0
	for _, name := range t.branches {
		tip, c := t.tip(name), chains[branch("mirror/"+name)]
		if tip == "" {
			failed++
			require.Contains(t, out, fmt.Sprintf("failed mirror/%s: source %s: branch does not exist", name, name))
		} else {
			require.NotEmpty(t, c.Objects, "%s: %s", name, out)
			require.Equal(t, tip, c.Tip(), "%s: %s", name, out)
		}
		require.False(t, c.Broken(), "%s lacks %s: %s", name, c.MissingBase, out)
		require.LessOrEqual(t, len(c.Objects), maxChain, name)
		require.Empty(t, c.Superseded, "%s: %s", name, out)
	}
	require.Contains(t, out, fmt.Sprintf(" %d failed", failed))
	require.Equal(t, failed > 0, err != nil, out)
}

// requireMirrored compares both sides, and checks that the destination lacks no object.
func (t *team) requireMirrored() {
	t.Helper()
	for _, name := range t.branches {
		b := branch(name)
		got, err := t.Destination.Git(t.Context(), "mirror/"+b.Path(), "rev-parse", b.Ref())
		require.NoError(t, err)
		require.Equal(t, t.git(name, "rev-parse", b.Ref()), got, name)
		_, err = t.Destination.Git(t.Context(), "mirror/"+b.Path(), "fsck", "--connectivity-only")
		require.NoError(t, err)
	}
}

func chainsOf(t testing.TB, b *bucket.Bucket) map[project.Branch]chain.Chain {
	t.Helper()
	chains, err := stack.Chains(t.Context(), b)
	require.NoError(t, err)
	return chains
}
