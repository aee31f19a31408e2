package faults_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// soakProject is a repository of the soak's own.
type soakProject struct {
	repo string
	// syncs are the branches, tags and patterns that are synced.
	syncs []string
	// branches and tags are names that refs come and go with. The branch main stays.
	branches, tags []string
	// files are kept by Git LFS, too.
	files bool
	// guest is one whose syncs are taken out of the list, and put back.
	guest bool
}

// stable is a tag with a sync of its own, which stays.
const stable = "stable"

var soakProjects = []*soakProject{
	{repo: "soak/plain", syncs: []string{"main"}},
	{repo: "soak/files", syncs: []string{"main"}, files: true},
	{repo: "soak/tagged", syncs: []string{"main", "refs/tags/" + stable}},
	{repo: "soak/all", syncs: []string{"refs/*"}, branches: []string{"a", "b", "c", "d"}, tags: []string{"v1", "v2", "v3", "v4"}},
	{repo: "soak/branches", syncs: []string{"refs/heads/*"}, branches: []string{"a", "b", "c", "d", "e", "f"}},
	{repo: "soak/both", syncs: []string{"refs/heads/*", "refs/tags/*"}, branches: []string{"a", "b", "c"}, tags: []string{"v1", "v2", "v3"}, files: true},
	{repo: "soak/guest", syncs: []string{"main"}, guest: true},
	{repo: "soak/visitor", syncs: []string{"refs/*"}, branches: []string{"a", "b"}, tags: []string{"v1"}, files: true, guest: true},
}

// remember has git write down each transaction of refs: its lines, and an empty one.
const remember = `[ "$1" = committed ] || exit 0
printf '%s\n\n' "$(cat)" >> ` + remembered

const remembered = "transactions"

// createProjects makes what the soak has besides the repositories of every world.
func (s *soak) createProjects(t testing.TB) {
	for _, p := range soakProjects {
		for path, server := range map[string]*gitserver.Server{p.repo: s.Source.Server, "mirror/" + p.repo: s.Destination.Server} {
			require.NoError(t, createRemembering(t.Context(), server, path))
		}
		require.NoError(t, s.move(p, "main"))
		if slices.Contains(p.syncs, "refs/tags/"+stable) {
			require.NoError(t, s.tagStable(p))
		}
		s.synced[p] = true
	}
	s.writeSyncs(t)
}

func createRemembering(ctx context.Context, server *gitserver.Server, repo string) error {
	if err := server.Create(ctx, repo); err != nil {
		return err
	}
	return server.Hook(repo, "reference-transaction", remember)
}

// writeSyncs has the list as a whole replaced: every world's, and those of the soak that are in it now.
func (s *soak) writeSyncs(t testing.TB) {
	var text strings.Builder
	text.WriteString(s.syncs)
	for _, p := range soakProjects {
		if !s.synced[p] {
			continue
		}
		group, name, _ := strings.Cut(p.repo, "/")
		for _, sync := range p.syncs {
			fmt.Fprintf(&text, "  - source: {group: %q, name: %q, branch: %q}\n", group, name, sync)
			fmt.Fprintf(&text, "    destination: {group: %q, name: %q, branch: %q}\n", "mirror/"+group, name, sync)
		}
	}
	require.NoError(t, os.WriteFile(s.SyncsFile()+".new", []byte(text.String()), 0o600))
	require.NoError(t, os.Rename(s.SyncsFile()+".new", s.SyncsFile()))
}

// isOf tells whether a ref is what a sync moves.
func isOf(sync, ref string) bool {
	if prefix, isPattern := strings.CutSuffix(sync, "*"); isPattern {
		return strings.HasPrefix(ref, prefix) && (strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/"))
	}
	return ref == sync || ref == "refs/heads/"+sync
}

// unlike are the syncs of the soak whose destinations are not what their sources are.
func (s *soak) unlike() (differences []string) {
	for p := range s.synced {
		source, destination := heads(s.Source.Server, p.repo), heads(s.Destination.Server, "mirror/"+p.repo)
		for _, sync := range p.syncs {
			ofOther := func(ref, _ string) bool { return !isOf(sync, ref) }
			want, got := maps.Clone(source), maps.Clone(destination)
			maps.DeleteFunc(want, ofOther)
			maps.DeleteFunc(got, ofOther)
			if !maps.Equal(want, got) {
				differences = append(differences, fmt.Sprintf("%s@%s is %v, the source is %v", p.repo, sync, got, want))
			}
		}
	}
	return differences
}

// ownRefs counts the consumer's own refs at all destinations, and the refs that are synced.
func (s *soak) ownRefs(t testing.TB) (own, all int) {
	repos := slices.Collect(maps.Keys(repositories))
	for _, p := range soakProjects {
		repos = append(repos, p.repo)
	}
	for _, repo := range repos {
		out, err := s.Destination.Git(context.Background(), "mirror/"+repo, "for-each-ref", "--format=%(refname)", ours)
		require.NoError(t, err)
		own += len(strings.Fields(out))
		all += len(heads(s.Destination.Server, "mirror/"+repo))
	}
	return own, all
}
