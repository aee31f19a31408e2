package plan

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

func TestPushes(t *testing.T) {
	main := destination("router", "main")
	tests := map[string]struct {
		head   Head
		reason string // "" means up to date
	}{
		"up to date":     {Head{Commit: b}, ""},
		"behind":         {Head{Commit: a}, "the destination is at aaaaaaa, the bucket at bbbbbbb"},
		"new branch":     {Head{}, "the branch does not exist yet: create it at bbbbbbb"},
		"unreadable":     {Head{Err: errors.New("404")}, "the destination cannot be read: 404"},
		"moved by other": {Head{Commit: c}, "the destination is at ccccccc, the bucket at bbbbbbb"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := planPushes(PushPlanner{
				Allow:  project.AllowAll(),
				Chains: bucket(map[project.Branch][]string{main: {a, b}}),
			}, map[project.Branch]Head{main: test.head})
			require.Equal(t, 1, out.Checked)
			require.Empty(t, out.Failed)
			if test.reason == "" {
				require.Equal(t, 1, out.UpToDate)
				require.Empty(t, out.Moves)
				return
			}
			require.NotEmpty(t, out.Moves[0].Evidence)
			require.Equal(t, []Push{{
				Attempt:     Attempt{Evidence: out.Moves[0].Evidence},
				Destination: main,
				Head:        test.head.Commit,
				Commit:      b,
				Objects: []object.Stored{
					{ID: object.ID{Destination: destination("router", "main"), Commit: a}, Key: "dst/router@main:a", Size: 1000, Modified: time.Unix(0, 0)},
					{ID: object.ID{Destination: destination("router", "main"), Commit: b, Base: a}, Key: "dst/router@main:b", Size: 100, Modified: time.Unix(1, 0)},
				},
				Reason: test.reason,
				Since:  time.Unix(1, 0),
			}}, out.Moves)
		})
	}
}

// A project that does not exist is planned to be created if that is wanted and allowed, in a dry run, too.
func TestPushesToMissingProjects(t *testing.T) {
	main := destination("router", "main")
	heads := map[project.Branch]Head{main: {Err: errors.New("404"), Kind: "ProjectNotFound", NoProject: true}}
	allow := project.AllowAll()
	push := func(create, detail bool) Page[Push] {
		return planPushes(PushPlanner{
			PageRequest: PageRequest{Detail: detail}, Allow: allow, CreateProjects: create, Chains: bucket(map[project.Branch][]string{main: {a, b}}),
		}, heads)
	}
	for _, detail := range []bool{false, true} {
		out := push(true, detail)
		require.Empty(t, out.Failed)
		require.Equal(t, "the project does not exist yet: create it, with the branch at bbbbbbb", out.Moves[0].Reason)
	}
	for want, missing := range map[string][]string{
		`the project does not exist yet, nor does the group "dst": create it, with the branch at bbbbbbb`:             {"dst"},
		`the project does not exist yet, nor do the groups "dst" to "dst/a/b": create it, with the branch at bbbbbbb`: {"dst", "dst/a", "dst/a/b"},
	} {
		heads[main] = Head{Err: errors.New("404"), Kind: "ProjectNotFound", NoProject: true, MissingGroups: missing}
		require.Equal(t, want, push(true, true).Moves[0].Reason)
	}
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: "ProjectNotFound", Reason: "404"}}, push(false, true).Failed)
	heads = map[project.Branch]Head{main: {Commit: a}}
	require.Equal(t, "the destination is at aaaaaaa, the bucket at bbbbbbb", push(true, true).Moves[0].Reason, "it exists")
	heads = map[project.Branch]Head{main: {Err: errors.New("401"), Kind: "GitAuthFailed"}}
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: "GitAuthFailed", Reason: "401"}}, push(true, true).Failed)
	allow = project.Allowlist{}
	require.Equal(t, KindNotAllowed, push(true, false).Failed[0].Kind)
}

func TestPushesOfTags(t *testing.T) {
	t.Parallel()
	tag := destination("router", "refs/tags/v1")
	p := PushPlanner{Allow: project.AllowAll(), CreateProjects: true, Chains: bucket(map[project.Branch][]string{tag: {a}})}
	for want, head := range map[string]Head{
		"the tag does not exist yet: create it at aaaaaaa":                   {},
		"the project does not exist yet: create it, with the tag at aaaaaaa": {Err: errors.New("404"), NoProject: true},
	} {
		require.Equal(t, want, planPushes(p, map[project.Branch]Head{tag: head}).Moves[0].Reason)
	}
}

// Nothing is pushed to where nobody has allowed it, whatever the bucket has.
func TestPushesThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	allow, err := project.ParseAllowlist("dst/router")
	require.NoError(t, err)
	router, other := destination("router", "main"), destination("other", "main")
	out := planPushes(PushPlanner{Allow: allow, Chains: bucket(map[project.Branch][]string{router: {a}, other: {a}})}, map[project.Branch]Head{})
	require.Len(t, out.Moves, 1)
	require.Equal(t, router, out.Moves[0].Destination)
	require.Equal(t, []Failure{{Subject: "dst/other@main", Kind: KindNotAllowed, Reason: "the destination is not in ALLOWED_DESTINATIONS"}}, out.Failed)
}

// What cannot be reached for now is reported, and left for the next cycle.
func TestPushesUnreachable(t *testing.T) {
	heads := map[project.Branch]Head{destination("d", "m"): {Err: fmt.Errorf("remote: %s", "timeout."), Unreachable: true}}
	out := planPushes(PushPlanner{Allow: project.AllowAll(), PageRequest: PageRequest{Detail: true}, Chains: bucket(map[project.Branch][]string{
		destination("c", "m"): {a}, destination("a", "m"): {a}, destination("b", "m"): {a}, destination("d", "m"): {a},
	})}, heads)
	require.Len(t, out.Moves, 3)
	require.Equal(t, []Failure{{Subject: "dst/d@m", Kind: KindUnreachable, Reason: "remote: timeout; the next cycle tries again"}}, out.Failed)
}

func TestMissing(t *testing.T) {
	chain := []object.Stored{{ID: object.ID{Commit: "a"}}, {ID: object.ID{Commit: "b", Base: "a"}}, {ID: object.ID{Commit: "c", Base: "b"}}}
	tests := map[string]struct {
		objects []object.Stored
		known   []string
		want    []object.Stored
	}{
		"nothing known":            {chain, nil, chain},
		"the snapshot's commit":    {chain, []string{"a"}, chain[1:]},
		"the last base":            {chain, []string{"b"}, chain[2:]},
		"all bases":                {chain, []string{"a", "b"}, chain[2:]},
		"a later base only":        {chain, []string{"x", "b"}, chain[2:]},
		"unrelated":                {chain, []string{"x"}, chain},
		"broken, base known":       {chain[1:], []string{"a"}, chain[1:]},
		"broken, later base known": {chain[1:], []string{"b"}, chain[2:]},
		"broken, nothing known":    {chain[1:], nil, nil},
		"back at its own base":     {[]object.Stored{{ID: object.ID{Commit: "a"}}, {ID: object.ID{Commit: "a", Base: "a"}}}, []string{"a"}, []object.Stored{{ID: object.ID{Commit: "a", Base: "a"}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, MissingObjects(test.objects, test.known))
		})
	}
	require.Equal(t, []string{"a", "b"}, Bases(chain))
}
