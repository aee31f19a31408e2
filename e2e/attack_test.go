package e2e_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// timeline are the source's commits. When the attacks begin, the source and the bucket are at d,
// and the destinations at c; their chains are a snapshot of a and the increments to b, c and d.
type timeline struct{ a, b, c, d string }

// victim is a destination that is attacked.
type victim struct {
	sides
	name string
	timeline
}

func (v victim) branch() string { return "mirror/attack/" + v.name + "@main" }

// key names an object of the victim.
func (v victim) key(commit, base string) string { return v.keyOf(v.branch(), commit, base) }

func (v victim) keyOf(destination, commit, base string) string {
	v.Helper()
	key, err := object.ID{Destination: branch(destination), Commit: commit, Base: base}.Key()
	require.NoError(v, err)
	return key
}

func (v victim) snapshot() string { return v.key(v.a, "") }
func (v victim) newest() string   { return v.key(v.d, v.c) }

// chain is all objects of the victim, the oldest first.
func (v victim) chain() []string {
	return []string{v.snapshot(), v.key(v.b, v.a), v.key(v.c, v.b), v.newest()}
}

// attack is what is done to a victim, and what comes of it.
type attack struct {
	name string
	do   func(a *attacker, v victim)
	// kind and text are the failure's. Without them there is none.
	kind, text string
	// planned is a failure of the plan: there is no run.
	planned bool
	// fresh is a destination that was made anew: it has nothing, and remembers nothing.
	fresh bool
	// elsewhere is the branch that the attack is about, when it is not the victim's. No sync has it, and so the producer's
	// catalog does not name it, and nothing is pushed. It can be another spelling of the victim's.
	elsewhere string
	// becomes is what the destination becomes when there is no failure.
	becomes func(timeline) string
}

func (k attack) target() string {
	if k.elsewhere != "" {
		return k.elsewhere
	}
	return victim{name: k.name}.branch()
}

// refs are the references that the attack is about, those of the consumer included.
func (k attack) refs(t sides) (refs string) {
	t.Helper()
	b := branch(k.target())
	out, err := t.Destination.Git(t.Context(), b.Path(), "for-each-ref", "--format=%(refname) %(objectname)")
	require.NoError(t, err)
	for line := range strings.Lines(out) {
		if k.elsewhere == "" || strings.Contains("/"+line, "/"+b.Branch) {
			refs += line
		}
	}
	return refs
}

// grow adds a commit with that much content to the source and brings it into the bucket.
func grow(t sides, content int) string {
	t.Helper()
	sha, err := t.Source.Commit(t.Context(), "attack/app", "main", map[string]string{"file": incompressible(content)}, "more")
	require.NoError(t, err)
	cycle(t, stack.Producer)
	return sha
}

// Somebody has all access to the bucket and the public key, but not the signing key.
func TestAttacksOnTheBucket(test *testing.T) {
	test.Parallel()
	t := begin(test)
	b := t.bucket
	a := newAttacker(t)
	create(t, t.Source, "attack/app")
	pairs := [][2]string{}
	for _, k := range attacks {
		pairs = append(pairs, [2]string{"attack/app@main", victim{name: k.name}.branch()})
		create(t, t.Destination, branch(pairs[len(pairs)-1][1]).Path())
	}
	configure(t, pairs...)
	h := timeline{a: grow(t, 40_000), b: grow(t, 10_000), c: grow(t, 100)}
	a.keep()
	cycle(t, stack.Consumer)
	h.d = grow(t, 9_000)
	a.keep()
	before := a.attack(h)

	out := failingCycle(t, stack.Consumer)
	var failures []broken
	for _, k := range attacks {
		switch {
		case k.planned:
			require.Regexp(t, "failed "+k.target()+": "+k.text+`.*\n.*\(`+k.kind+`\)\n`, out)
		case k.kind != "":
			failures = append(failures, broken{k.target(), k.kind, k.text})
		}
	}
	requireFailed(t, stack.Consumer, consumeID, out, failures)
	require.Contains(t, out, ", 5 not in the producer's catalog")
	requireUnmoved(t, a, h, before)

	// Nobody has to do anything but to keep the attacker out. No more than twenty destinations are mended in a cycle.
	for range 3 {
		cycle(t, stack.Producer)
	}
	cycle(t, stack.Consumer)
	requireInSync(t, len(attacks))
	for _, key := range keys(t, b) {
		k, err := object.ParseKey(key)
		require.NoError(t, err)
		require.NotContains(t, k.Destination.String(), "elsewhere", "pruned: no sync wants it")
	}
}

// attack does it all, and returns what the destinations were before.
func (a *attacker) attack(h timeline) (before map[string]string) {
	a.Helper()
	before = map[string]string{}
	a.awaitNextSecond()
	for _, k := range attacks {
		v := victim{a.sides, k.name, h}
		for _, key := range v.chain() {
			require.NotEmpty(a, a.kept[key], "%s is not in the bucket", key)
		}
		if k.fresh {
			require.NoError(a, os.RemoveAll(a.Destination.Dir(branch(v.branch()).Path())))
			create(a.sides, a.Destination, branch(v.branch()).Path())
		}
		create(a.sides, a.Destination, branch(k.target()).Path())
		before[k.name] = k.refs(a.sides)
		k.do(a, v)
	}
	return before
}

// requireUnmoved checks that what was attacked in vain is as it was, and that what only lost
// objects is what the others lead to.
func requireUnmoved(t sides, a *attacker, h timeline, before map[string]string) {
	t.Helper()
	for _, k := range attacks {
		now := k.refs(t)
		if k.becomes != nil {
			require.Contains(t, now, "refs/heads/main "+k.becomes(h), k.name)
		} else {
			require.Equal(t, before[k.name], now, k.name)
		}
		_, err := t.Destination.Git(t.Context(), branch(k.target()).Path(), "cat-file", "-e", a.commit)
		require.Error(t, err, "%s: the destination has the attacker's commit", k.name)
	}
}
