package faults_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// TestSoakSeesGrowth: each of the things that must not grow does, and nothing else.
func TestSoakSeesGrowth(t *testing.T) {
	grown := func(change func(*sample, int)) bool {
		s := &soak{}
		for i := range 1 + soakSamples {
			one := sample{Workers: map[stack.Role]workerUse{}, Refs: 30, OwnRefs: 60, Objects: 25, Bytes: 20 << 20, Poll: 500}
			for _, role := range stack.Roles {
				one.Workers[role] = workerUse{RSS: 60 << 20, Goroutines: 80, Files: 30}
			}
			change(&one, i)
			s.samples = append(s.samples, one)
		}
		told := &lenient{TB: t}
		s.requireFlat(told)
		return told.Failed()
	}
	uses := func(of workerUse) func(*sample, int) {
		return func(s *sample, i int) {
			was := s.Workers[stack.Consumer]
			n := int64(i)
			s.Workers[stack.Consumer] = workerUse{was.RSS + n*of.RSS, was.Goroutines + i*of.Goroutines, was.Files + i*of.Files}
		}
	}
	require.False(t, grown(func(*sample, int) {}))
	require.False(t, grown(func(s *sample, i int) { s.Bytes += int64(i%3) << 20 }))
	for what, change := range map[string]func(*sample, int){
		"memory":            uses(workerUse{RSS: 4 << 20}),
		"goroutines":        uses(workerUse{Goroutines: 4}),
		"files":             uses(workerUse{Files: 2}),
		"objects":           func(s *sample, i int) { s.Objects += 3 * i },
		"bytes":             func(s *sample, i int) { s.Bytes += int64(i) << 21 },
		"a file in WORKDIR": func(s *sample, i int) { s.WorkDir += int64(i / soakSamples) },
		"refs of ours":      func(s *sample, i int) { s.OwnRefs += 10 * i },
		"a long history":    func(s *sample, i int) { s.Poll += int64(i) * 400 },
	} {
		require.True(t, grown(change), what)
	}
}

// TestSoakSeesStrangeStates: a destination that is where its source never was, or goes back when its source has not.
func TestSoakSeesStrangeStates(t *testing.T) {
	servers := map[string]*gitserver.Server{}
	for _, side := range []string{"source", "destination"} {
		server, err := gitserver.Start(t.TempDir(), gitserver.Credentials{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = server.Close() })
		servers[side] = server
	}
	source, destination := servers["source"], servers["destination"]
	s := &soak{world: &world{Stack: &stack.Stack{Source: &stack.GitServer{Server: source}, Destination: &stack.GitServer{Server: destination}}}}
	const repo = "soak/plain"
	require.NoError(t, createRemembering(t.Context(), source, repo))
	require.NoError(t, createRemembering(t.Context(), destination, "mirror/"+repo))
	var was []string
	for range 3 {
		commit, err := source.Commit(t.Context(), repo, "main", map[string]string{"file": noise(uint64(len(was)), 100)}, "a change")
		require.NoError(t, err)
		was = append(was, commit)
	}
	_, err := destination.Git(t.Context(), "mirror/"+repo, "fetch", "--quiet", source.Dir(repo), "main")
	require.NoError(t, err)
	isStrange := func(at string) bool {
		require.NoError(t, destination.UpdateRefs(t.Context(), "mirror/"+repo, "update refs/heads/main "+at))
		told := &lenient{TB: t}
		s.requireTrueStates(told)
		return told.Failed()
	}
	require.False(t, isStrange(was[0]))
	require.False(t, isStrange(was[2]), "one in between may be left out")
	require.True(t, isStrange(was[1]), "it has gone back")

	require.NoError(t, source.UpdateRefs(t.Context(), repo, "update refs/heads/main "+was[1]))
	require.False(t, isStrange(was[1]), "so has the source, now")
	foreign, err := destination.Draft(t.Context(), "mirror/"+repo, nil, map[string]string{"file": "foreign"}, "foreign")
	require.NoError(t, err)
	require.True(t, isStrange(foreign), "the source was never there")
}
