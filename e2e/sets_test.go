package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// setTeam plays the people who work on all branches and tags of two projects.
type setTeam struct {
	sides
	*rand.Rand
	pairs   [][2]string
	updates int
}

// TestRandomRefs creates, moves, forces and deletes branches and tags while both sides are at work. At the end each destination
// has what its source has, and what others have there.
func TestRandomRefs(test *testing.T) {
	test.Parallel()
	t := begin(test)
	t.Logf("drawn with -seed %d", *seed)
	team := &setTeam{sides: t, Rand: rand.New(rand.NewPCG(*seed, 1)), pairs: [][2]string{
		{"sets/all@refs/*", "mirror/sets/all@refs/*"},
		{"sets/some@refs/heads/*", "mirror/sets/some@refs/heads/upstream/*"},
		{"sets/some@refs/tags/v*", "mirror/sets/some@refs/tags/v*"},
	}}
	for _, repo := range []string{"sets/all", "sets/some"} {
		create(t, t.Source, repo)
		create(t, t.Destination, "mirror/"+repo)
		team.commit(repo, "main")
		team.git(repo, "tag", "v0", "main")
		_, err := t.Destination.Commit(t.Context(), "mirror/"+repo, "theirs", map[string]string{"a": "b"}, "theirs")
		require.NoError(t, err)
	}
	configure(t, team.pairs...)
	consumed := func() (string, error) { return "", nil }
	for round := range 10 {
		for range 1 + team.IntN(12) {
			team.update([]string{"sets/all", "sets/some"}[team.IntN(2)])
		}
		if round == 5 {
			team.git("sets/all", "-c", `alias.many=!for i in $(seq 1000); do echo "create refs/tags/many/$i $(git rev-parse main)"; done | git update-ref --stdin`, "many")
		}
		cycle(t, stack.Producer)
		if team.IntN(2) == 0 {
			requireCycle(t, consumed)
			consumed = startCycle(t)
		}
	}
	requireCycle(t, consumed)
	cycle(t, stack.Producer)
	cycle(t, stack.Consumer)
	team.requireMirrored()
	for _, role := range []stack.Role{stack.Producer, stack.Consumer} {
		require.Contains(t, cycle(t, role), "3 checked, 3 up to date, 0 synced, 0 failed")
	}
}

func (t *setTeam) git(repo string, args ...string) string {
	t.Helper()
	out, err := t.Source.Git(t.Context(), repo, append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	require.NoError(t, err)
	return out
}

func (t *setTeam) commit(repo, branch string) {
	t.Helper()
	t.updates++
	_, err := t.Source.Commit(t.Context(), repo, branch, map[string]string{fmt.Sprint("file-", t.IntN(5)): fmt.Sprint(t.updates, strings.Repeat("x", t.IntN(2000)))}, "commit")
	require.NoError(t, err)
}

// ref is any but main of a repository; "" if there is none.
func (t *setTeam) ref(repo, below string) string {
	refs := strings.Fields(strings.ReplaceAll(t.git(repo, "for-each-ref", "--format=%(refname)", "--count=50", below), "refs/heads/main", ""))
	if len(refs) == 0 {
		return ""
	}
	return refs[t.IntN(len(refs))]
}

// update does one thing that people do to branches and tags. Names of folders change with names of refs.
func (t *setTeam) update(repo string) {
	t.updates++
	commits := strings.Fields(t.git(repo, "rev-list", "--all"))
	object := commits[t.IntN(len(commits))]
	name := []string{"a", "b/c", "b", "a/x", "release/1.0", "release"}[t.IntN(6)]
	switch t.IntN(8) {
	case 0:
		t.commit(repo, "main")
	case 1:
		t.free(repo, "refs/heads/"+name)
		t.commit(repo, name)
	case 2:
		t.free(repo, "refs/heads/"+name)
		t.git(repo, "update-ref", "refs/heads/"+name, object)
	case 3:
		if ref := t.ref(repo, "refs/heads/"); ref != "" {
			t.git(repo, "update-ref", "-d", ref)
		}
	case 4:
		t.free(repo, "refs/tags/v"+name)
		t.git(repo, "tag", "--force", "v"+name, object)
	case 5:
		t.free(repo, "refs/tags/v"+name)
		t.git(repo, "tag", "--force", "--annotate", "--message", fmt.Sprint("tag ", t.updates), "v"+name, object)
	case 6:
		t.git(repo, "tag", "--force", "--annotate", "--message", "of a tag", fmt.Sprint("v-", t.updates), "v0")
	case 7:
		if ref := t.ref(repo, "refs/tags/v*"); ref != "" && ref != "refs/tags/v0" {
			t.git(repo, "update-ref", "-d", ref)
		}
	}
}

// free deletes what stands in the way of a ref's name.
func (t *setTeam) free(repo, ref string) {
	t.Helper()
	for other := range strings.FieldsSeq(t.git(repo, "for-each-ref", "--format=%(refname)")) {
		if strings.HasPrefix(other, ref+"/") || strings.HasPrefix(ref, other+"/") {
			t.git(repo, "update-ref", "-d", other)
		}
	}
}

// requireMirrored compares all refs that the syncs are of, and checks that the destinations lack no object.
func (t *setTeam) requireMirrored() {
	t.Helper()
	for _, pair := range t.pairs {
		source, destination := branch(pair[0]), branch(pair[1])
		have := refsOf(t, t.Destination, destination.Path(), func(ref string) string {
			part, _ := destination.Match(ref)
			return part
		})
		for part := range have {
			if strings.HasSuffix(part, "theirs") {
				delete(have, part)
			}
		}
		require.Equal(t, refsOf(t, t.Source, source.Path(), func(ref string) string {
			part, _ := source.Match(ref)
			return part
		}), have, pair[1])
		out, err := t.Destination.Git(t.Context(), destination.Path(), "fsck", "--strict")
		require.NoError(t, err, out)
		out, err = t.Destination.Git(t.Context(), destination.Path(), "for-each-ref", "refs/heads/theirs")
		require.NoError(t, err)
		require.NotEmpty(t, out, "what others have there stays")
	}
}

// refsOf are the objects of a repository's refs, by the part of their names that part returns; those without are left out.
func refsOf(t testing.TB, server *stack.GitServer, repo string, part func(ref string) string) map[string]string {
	t.Helper()
	out, err := server.Git(t.Context(), repo, "for-each-ref", "--format=%(objectname) %(refname)")
	require.NoError(t, err)
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		object, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		if p := part(ref); p != "" {
			refs[p] = object
		}
	}
	return refs
}
