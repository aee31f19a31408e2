package plan

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

var (
	a = strings.Repeat("a", 40)
	b = strings.Repeat("b", 40)
	c = strings.Repeat("c", 40)
)

func source(name, branch string) project.Branch {
	return project.Branch{Group: "src", Name: name, Branch: branch}
}

func destination(name, branch string) project.Branch {
	return project.Branch{Group: "dst", Name: name, Branch: branch}
}

func sync(name, branch string) project.Sync {
	return project.Sync{Source: source(name, branch), Destination: destination(name, branch)}
}

// bucket holds for each destination a snapshot of the first commit and increments to the others.
func bucket(commits map[project.Branch][]string) map[project.Branch]chain.Chain {
	var objects []object.Stored
	for branch, list := range commits {
		base, size := "", int64(1000)
		for i, commit := range list {
			objects = append(objects, object.Stored{
				ID:       object.ID{Destination: branch, Commit: commit, Base: base},
				Key:      branch.String() + ":" + commit[:1],
				Size:     size,
				Modified: time.Unix(int64(i), 0),
			})
			base, size = commit, size/10
		}
	}
	return chain.Build(objects)
}

// Names that are not valid come from the GraphQL server as they are.
func TestInvalidNamesAreFitToBeShown(t *testing.T) {
	evil := sync("a", "\x1b[31m\u202e\n"+strings.Repeat("b", 100_000))
	_, refused := ValidateSyncs([]project.Sync{evil})
	require.Len(t, refused, 1)
	require.Equal(t, KindInvalidSync, refused[0].Kind)
	text := refused[0].String()
	require.False(t, strings.ContainsFunc(text, foreign.IsControl), "%q", text)
	require.Less(t, len(text), 2000)
}

// A destination that is spelled anew starts with a snapshot of its own; what the old spelling had is replaced by it.
func TestUploadAfterNewSpelling(t *testing.T) {
	old, spelled := destination("Router", "main"), sync("router", "main")
	heads := map[project.Branch]Head{spelled.Source: {Commit: b}}
	p := UploadPlanner{Syncs: []project.Sync{spelled}, Chains: bucket(map[project.Branch][]string{old: {a, b}})}
	moves := planUploads(p, heads).Moves
	require.Equal(t, []Upload{{
		Sync: spelled, SeenChain: chainState(p.Chains[old]), Reason: "the bucket has it as dst/Router@main: snapshot", SourceCommit: b, Attempt: moves[0].Attempt,
	}}, moves)
}

func TestAccept(t *testing.T) {
	nameless := sync("router", "main")
	nameless.Source.Name = ""
	tests := map[string]struct {
		syncs    []project.Sync
		accepted int
		kinds    []string
	}{
		"none":                             {nil, 0, nil},
		"one":                              {[]project.Sync{sync("router", "main")}, 1, nil},
		"two branches":                     {[]project.Sync{sync("router", "main"), sync("router", "release")}, 2, nil},
		"one source, two destinations":     {[]project.Sync{{Source: source("a", "m"), Destination: destination("a", "m")}, {Source: source("a", "m"), Destination: destination("b", "m")}}, 2, nil},
		"two sources, one destination":     {[]project.Sync{{Source: source("a", "m"), Destination: destination("a", "m")}, {Source: source("b", "m"), Destination: destination("a", "m")}, sync("c", "m")}, 1, []string{KindDuplicateDestination, KindDuplicateDestination}},
		"the same sync twice":              {[]project.Sync{sync("a", "m"), sync("a", "m")}, 0, []string{KindDuplicateDestination, KindDuplicateDestination}},
		"one destination, two spellings":   {[]project.Sync{{Source: source("a", "m"), Destination: destination("App", "m")}, {Source: source("b", "m"), Destination: destination("app", "m")}}, 0, []string{KindDuplicateDestination, KindDuplicateDestination}},
		"a tag and a branch of its name":   {[]project.Sync{sync("a", "v1"), sync("a", "refs/tags/v1")}, 2, nil},
		"a branch that becomes a tag":      {[]project.Sync{{Source: source("a", "m"), Destination: destination("a", "refs/tags/m")}}, 0, []string{KindInvalidSync}},
		"several tags":                     {[]project.Sync{sync("a", "refs/tags/*"), sync("a", "m")}, 2, nil},
		"branches that differ in case":     {[]project.Sync{sync("a", "m"), sync("a", "M")}, 2, nil},
		"without a name":                   {[]project.Sync{nameless, sync("a", "m")}, 1, []string{KindInvalidSync}},
		"a name too long for a key":        {[]project.Sync{sync("a", strings.Repeat("é", 120)), sync("b", "m")}, 1, []string{KindKeyTooLong}},
		"a branch that git does not allow": {[]project.Sync{sync("a", "..")}, 0, []string{KindInvalidSync}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			accepted, refused := ValidateSyncs(test.syncs)
			require.Len(t, accepted, test.accepted)
			var kinds []string
			for _, f := range refused {
				kinds = append(kinds, f.Kind)
				require.True(t, strings.HasPrefix(f.Subject, "dst/"), f.Subject)
				require.NotEmpty(t, f.Reason)
			}
			require.Equal(t, test.kinds, kinds)
		})
	}
}

// An increment's key is longer than a snapshot's. Who has no room for that is told so before the first snapshot.
func TestKeysOfIncrementsFit(t *testing.T) {
	t.Parallel()
	fits := func(s project.Sync, base string) bool {
		_, err := object.ID{Destination: s.Destination, Commit: a, Base: base}.Key()
		return err == nil
	}
	s := sync("a", "é")
	for fits(s, b) {
		s = sync("a", s.Destination.Branch+"é")
	}
	require.True(t, fits(s, ""))
	_, refused := ValidateSyncs([]project.Sync{s})
	require.Len(t, refused, 1)
	require.Equal(t, KindKeyTooLong, refused[0].Kind)
}

func TestUploads(t *testing.T) {
	main := destination("router", "main")
	tests := map[string]struct {
		head   Head
		bucket []string
		want   *Upload
	}{
		"new":                    {Head{Commit: a}, nil, &Upload{Reason: "nothing in the bucket yet: snapshot"}},
		"up to date":             {Head{Commit: a}, []string{a}, nil},
		"up to date, increments": {Head{Commit: c}, []string{a, b, c}, nil},
		"moved":                  {Head{Commit: b}, []string{a}, &Upload{Base: a, BaseKeys: []string{"dst/router@main:a"}, Reason: "source moved from aaaaaaa to bbbbbbb: increment on aaaaaaa"}},
		"moved again":            {Head{Commit: c}, []string{a, b}, &Upload{Base: b, BaseKeys: []string{"dst/router@main:a", "dst/router@main:b"}, Reason: "source moved from bbbbbbb to ccccccc: increment on bbbbbbb"}},
		"missing branch":         {Head{}, []string{a}, &Upload{Reason: "the source branch does not exist"}},
		"unreadable":             {Head{Err: errors.New("404")}, []string{a}, &Upload{Reason: "the source cannot be read: 404"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := sync("router", "main")
			in := UploadPlanner{Syncs: []project.Sync{s}}
			if test.bucket != nil {
				in.Chains = bucket(map[project.Branch][]string{main: test.bucket})
			}
			out := planUploads(in, map[project.Branch]Head{s.Source: test.head})
			require.Equal(t, 1, out.Checked)
			require.Empty(t, out.Failed)
			if test.want == nil {
				require.Equal(t, 1, out.UpToDate)
				require.Empty(t, out.Moves)
				return
			}
			test.want.Sync, test.want.SourceCommit = s, test.head.Commit
			if n := len(test.bucket); n > 0 {
				test.want.SeenChain = chainState(in.Chains[main])
				require.Equal(t, time.Unix(int64(n-1), 0), test.want.SeenChain.Modified)
				require.Equal(t, test.bucket, test.want.SeenChain.Commits)
			}
			require.NotEmpty(t, out.Moves[0].Evidence)
			test.want.Evidence = out.Moves[0].Evidence
			require.Equal(t, []Upload{*test.want}, out.Moves)
		})
	}
}

// A chain that does not restore the branch is replaced, also when the branch has not moved.
func TestUploadsHealBrokenChain(t *testing.T) {
	s := sync("router", "main")
	chains := chain.Build([]object.Stored{{ID: object.ID{Destination: s.Destination, Commit: b, Base: a}, Key: "a/b"}})
	out := planUploads(UploadPlanner{Syncs: []project.Sync{s}, Chains: chains}, map[project.Branch]Head{s.Source: {Commit: b}})
	require.Equal(t, []Upload{{
		Sync: s, SeenChain: chainState(chains[s.Destination]), Reason: "source is at bbbbbbb, the bucket's chain is broken: snapshot", SourceCommit: b, Attempt: out.Moves[0].Attempt,
	}}, out.Moves)
}

func TestUploadsUnreachable(t *testing.T) {
	s := sync("router", "main")
	out := planUploads(UploadPlanner{Syncs: []project.Sync{s}}, map[project.Branch]Head{s.Source: {Err: errors.New("timeout"), Unreachable: true}})
	require.Empty(t, out.Moves)
	require.Equal(t, []Failure{{Subject: "dst/router@main", Kind: KindUnreachable, Reason: "source src/router@main: timeout; the next cycle tries again"}}, out.Failed)
}
