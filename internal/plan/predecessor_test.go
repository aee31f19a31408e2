package plan

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/chain"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// mixed is a bucket with one destination, of which we and the predecessor have uploaded these commits, each a second after
// the one before it in the list; "" is none.
func mixed(branch project.Branch, ours, predecessors string, predecessorLast bool) map[project.Branch]chain.Chain {
	times := map[bool]int64{true: 2, false: 1}
	var objects []object.Stored
	if ours != "" {
		objects = append(objects, object.Stored{ID: object.ID{Destination: branch, Commit: ours}, Key: "ours", Size: 1, Modified: time.Unix(times[!predecessorLast], 0)})
	}
	if predecessors != "" {
		objects = append(objects, object.Stored{ID: object.ID{Destination: branch, Commit: predecessors}, Key: "predecessor's", Size: 1,
			Modified: time.Unix(times[predecessorLast], 0), SourceBranch: "trunk"})
	}
	return chain.Build(objects)
}

// Nothing builds on what the predecessor has uploaded: a snapshot takes its place, also when it has the source's commit.
func TestPredecessorsObjectIsReplaced(t *testing.T) {
	t.Parallel()
	s := sync("router", "main")
	for name, tt := range map[string]struct {
		ours string
		last bool
		head string
		want string // "" is nothing to do
	}{
		"at the source's commit":        {"", true, a, "source is at aaaaaaa, the bucket's newest object is the predecessor's: snapshot"},
		"behind":                        {"", true, b, "source moved from aaaaaaa to bbbbbbb, the bucket's newest object is the predecessor's: snapshot"},
		"newer than ours":               {b, true, b, "source moved from aaaaaaa to bbbbbbb, the bucket's newest object is the predecessor's: snapshot"},
		"older than ours":               {b, false, b, ""},
		"older than ours, source moved": {b, false, c, "source moved from bbbbbbb to ccccccc: increment on bbbbbbb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := planUploads(UploadPlanner{Syncs: []project.Sync{s}, Chains: mixed(s.Destination, tt.ours, a, tt.last)}, map[project.Branch]Head{s.Source: {Commit: tt.head}})
			require.Empty(t, page.Failed)
			if tt.want == "" {
				require.Empty(t, page.Moves)
				return
			}
			require.Equal(t, tt.want, page.Moves[0].Reason)
			if tt.last {
				require.Empty(t, page.Moves[0].Base)
				require.Empty(t, page.Moves[0].BaseKeys)
				require.Equal(t, "predecessor's", page.Moves[0].SeenChain.Key, "it has to be later than that")
			}
		})
	}
}

// A destination that is where the predecessor has put it is no failure, and nothing is done about it. Any other is one, unless
// the predecessor's objects are to be pushed.
func TestPushesOfPredecessorsObjects(t *testing.T) {
	t.Parallel()
	main := destination("router", "main")
	const inSync, behind, pushed = "in sync", KindPredecessorObject, "pushed"
	for name, tt := range map[string]struct {
		ours               string
		predecessorLast    bool
		head               Head
		plain, note, reads string // what becomes of it
	}{
		"at its commit":                         {"", true, Head{Commit: a}, inSync, inSync, inSync},
		"elsewhere":                             {"", true, Head{Commit: c}, behind, behind, pushed},
		"where its archive had it":              {"", true, Head{Commit: c, Noted: c}, behind, behind, inSync},
		"moved away from where its archive had": {"", true, Head{Commit: b, Noted: c}, behind, behind, pushed},
		"new":                                   {"", true, Head{}, behind, behind, pushed},
		"not to be read":                        {"", true, Head{Err: errors.New("404")}, behind, behind, pushed},
		"ours is older":                         {b, true, Head{Commit: a}, inSync, behind, inSync},
		"ours is older, and of the same commit": {a, true, Head{Commit: a}, inSync, inSync, inSync},
		"ours is newer":                         {b, false, Head{Commit: a}, pushed, pushed, pushed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := PushPlanner{Allow: project.AllowAll(), Chains: mixed(main, tt.ours, a, tt.predecessorLast)}
			noting, reading := p, p
			noting.RequireNoted, reading.ReadPredecessor = true, true
			for want, p := range map[*string]PushPlanner{&tt.plain: p, &tt.note: noting, &tt.reads: reading} {
				page := planPushes(p, map[project.Branch]Head{main: tt.head})
				switch *want {
				case inSync:
					require.Equal(t, 1, page.UpToDate, "%+v", page)
				case pushed:
					require.Len(t, page.Moves, 1, "%+v", page)
					require.Len(t, page.Moves[0].Objects, 1)
					require.Equal(t, tt.predecessorLast, page.Moves[0].Objects[0].ByPredecessor())
				default:
					require.Len(t, page.Failed, 1, "%+v", page)
					require.Equal(t, *want, page.Failed[0].Kind)
					require.Contains(t, page.Failed[0].Reason, "the producer, when it runs, replaces it in its next cycle")
				}
			}
		})
	}
}

// Where signatures count, a destination can be at the commit of the predecessor's object and fail all the same.
func TestPredecessorsCommitHoldsNothingBack(t *testing.T) {
	t.Parallel()
	main := destination("router", "main")
	p := PushPlanner{Allow: project.AllowAll(), Chains: mixed(main, b, a, true), RequireNoted: true}
	for commit, want := range map[string]string{
		a: "the destination is at aaaaaaa, as the predecessor has uploaded it, and not where the newest object of the producer's own has it: ",
		c: "the destination is at ccccccc, the bucket's newest object of it at aaaaaaa: ",
	} {
		page := planPushes(p, map[project.Branch]Head{main: {Commit: commit}})
		require.Equal(t, []Failure{{Subject: main.String(), Kind: KindPredecessorObject, Reason: want + replacedByProducer}}, page.Failed)
	}
}

func TestPredecessorsBranchInSyncSaysWhoReplacesIt(t *testing.T) {
	t.Parallel()
	main := destination("router", "main")
	page := planPushes(PushPlanner{Allow: project.AllowAll(), PageRequest: PageRequest{Detail: true}, Chains: mixed(main, "", a, true)}, map[project.Branch]Head{main: {Commit: a}})
	require.Equal(t, []BranchStatus{{
		Destination: main.String(), Since: time.Unix(2, 0), Reason: replacedByProducer, Ends: &Ends{Source: a, Is: a, Objects: 1, Size: 1},
	}}, page.InSync)
}

// Objects of destinations that have left the configuration go, whoever has made them.
func TestPredecessorsDestinationIsAbsentLikeOurs(t *testing.T) {
	t.Parallel()
	gone := destination("gone", "main")
	orphans := Retention{MaxShare: 1}.Orphans([]project.Sync{sync("router", "main")}, mixed(gone, "", a, true), Omitted{}, Absence{}, noon)
	require.Equal(t, []project.Branch{gone}, orphans.Due)
}

// Where it is written for the predecessor's consumer, only its own objects count, and each is complete.
func TestUploadsForThePredecessor(t *testing.T) {
	t.Parallel()
	s := sync("router", "main")
	for name, tt := range map[string]struct {
		ours, predecessors string
		last               bool
		head               string
		want               string // "" is nothing to do
	}{
		"at the source's commit":       {"", a, true, a, ""},
		"behind":                       {"", a, true, b, "source moved from aaaaaaa to bbbbbbb: snapshot for the predecessor"},
		"nothing":                      {"", "", false, a, "nothing in the bucket yet: snapshot for the predecessor"},
		"ours, at the source's commit": {a, "", false, a, "source is at aaaaaaa, the bucket's newest object is not the predecessor's: snapshot for the predecessor"},
		"ours is newer":                {b, a, false, a, "source moved from bbbbbbb to aaaaaaa, the bucket's newest object is not the predecessor's: snapshot for the predecessor"},
		"ours is older":                {b, a, true, a, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := UploadPlanner{Syncs: []project.Sync{s}, Chains: mixed(s.Destination, tt.ours, tt.predecessors, tt.last), WritePredecessor: true}
			page := planUploads(p, map[project.Branch]Head{s.Source: {Commit: tt.head}})
			require.Empty(t, page.Failed)
			if tt.want == "" {
				require.Empty(t, page.Moves)
				require.Equal(t, 1, page.UpToDate)
				return
			}
			require.Len(t, page.Moves, 1)
			require.Equal(t, tt.want, page.Moves[0].Reason)
			require.Empty(t, page.Moves[0].Base)
			require.Empty(t, page.Moves[0].BaseKeys)
		})
	}
	spelled := s
	spelled.Destination.Group = strings.ToUpper(s.Destination.Group)
	p := UploadPlanner{Syncs: []project.Sync{spelled}, Chains: mixed(s.Destination, "", a, true), WritePredecessor: true}
	require.Equal(t, "the bucket has it as "+s.Destination.String()+": snapshot for the predecessor", planUploads(p, map[project.Branch]Head{s.Source: {Commit: a}}).Moves[0].Reason)
}

// One name that the predecessor's consumer does not take fails alone.
func TestNamesForThePredecessorAreRefusedAlone(t *testing.T) {
	t.Parallel()
	good, shell, long := sync("router", "main"), sync("router", "a&b"), sync("router", strings.Repeat("b", 250))
	long.Destination.Group = strings.Repeat("g", 150)
	p := UploadPlanner{Syncs: []project.Sync{good, shell, long}}
	accepted, refused := p.ValidateSyncs()
	require.Len(t, accepted, 3)
	require.Empty(t, refused)
	p.WritePredecessor = true
	accepted, refused = p.ValidateSyncs()
	require.Equal(t, []project.Sync{good}, accepted)
	require.Len(t, refused, 2)
	require.Equal(t, []string{KindPredecessorBranch, KindKeyTooLong}, []string{refused[0].Kind, refused[1].Kind})
	require.Equal(t, shell.Destination.String(), refused[0].Subject)
	require.Contains(t, refused[0].Reason, `a shell acts on '&'`)
	candidates, left := p.Candidates()
	require.Len(t, candidates, 1)
	require.Zero(t, left)
}
