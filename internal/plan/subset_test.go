package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// A plan of some destinations has just these, in whichever spelling, and says what it cannot find.
func TestPlanOfSomeUploads(t *testing.T) {
	syncs := []project.Sync{sync("a", "main"), sync("a", "next"), sync("b", "main"), sync("twice", "main"), sync("twice", "main"), {Source: source("s", "x"), Destination: destination("bad", "main")}}
	syncs[5].Source.Name = ""
	heads := map[project.Branch]Head{}
	for _, s := range syncs {
		heads[s.Source] = Head{Commit: a}
	}
	tests := map[string]struct {
		only   []project.Branch
		moves  []string
		failed map[string]string // kinds by subject
	}{
		"all":                 {nil, []string{"dst/a@main", "dst/a@next", "dst/b@main"}, nil},
		"one":                 {[]project.Branch{destination("a", "main")}, []string{"dst/a@main"}, nil},
		"in another spelling": {[]project.Branch{{Group: "DST", Name: "A", Branch: "main"}}, []string{"dst/a@main"}, nil},
		"another branch":      {[]project.Branch{destination("a", "Main")}, nil, map[string]string{"dst/a@Main": KindNotConfigured}},
		"a source":            {[]project.Branch{source("a", "main")}, nil, map[string]string{"src/a@main": KindNotConfigured}},
		"one twice":           {[]project.Branch{destination("b", "main"), destination("B", "main")}, []string{"dst/b@main"}, nil},
		"refused":             {[]project.Branch{destination("twice", "main"), destination("bad", "main")}, nil, map[string]string{"dst/twice@main": KindDuplicateDestination, "dst/bad@main": KindInvalidSync}},
		"some are not known":  {[]project.Branch{destination("y", "main"), destination("a", "next"), destination("x", "main")}, []string{"dst/a@next"}, map[string]string{"dst/x@main": KindNotConfigured, "dst/y@main": KindNotConfigured}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := UploadPlanner{Syncs: syncs, Only: NewSubset(test.only...)}
			page := planUploads(p, heads)
			var moves []string
			for _, u := range page.Moves {
				moves = append(moves, u.Sync.Destination.String())
			}
			require.ElementsMatch(t, test.moves, moves)
			require.Equal(t, len(test.moves), page.Checked)
			if test.only != nil {
				requireKinds(t, test.failed, p.SubsetFailures())
			}
		})
	}
}

func requireKinds(t *testing.T, want map[string]string, failures []Failure) {
	t.Helper()
	kinds := map[string]string{}
	for _, f := range failures {
		require.NotEmpty(t, f.Reason)
		kinds[f.Subject] = f.Kind
	}
	require.Len(t, kinds, len(want))
	for subject, kind := range want {
		require.Equal(t, kind, kinds[subject], subject)
	}
}

func TestPlanOfSomePushes(t *testing.T) {
	main, next, other := destination("a", "main"), destination("a", "next"), destination("secret", "main")
	allow, err := project.ParseAllowlist("dst/a dst/b")
	require.NoError(t, err)
	p := PushPlanner{
		Allow: allow, Chains: bucket(map[project.Branch][]string{main: {a}, next: {b}, other: {c}}),
		Only: NewSubset(project.Branch{Group: "Dst", Name: "a", Branch: "next"}, destination("b", "main"), other),
	}
	candidates := p.Candidates()
	require.Len(t, candidates, 2, "whoever is not allowed is one, too, if the bucket is read for it")
	p.Chains = bucket(map[project.Branch][]string{main: {a}, next: {b}})
	require.Equal(t, next, p.Candidates()[0].Destination)
	require.Len(t, p.Candidates(), 1)
	requireKinds(t, map[string]string{"dst/b@main": KindNotConfigured, "dst/secret@main": KindNotAllowed}, p.SubsetFailures())
}

// Of what is named, that is unknown which neither the bucket has nor its producer.
func TestPlanOfSomeWithACatalog(t *testing.T) {
	withheld, never, unknown, other := destination("a", "main"), destination("b", "main"), destination("c", "main"), destination("d", "main")
	p := PushPlanner{
		Allow: project.AllowAll(), Catalog: catalogOf(map[project.Branch]int64{withheld: 1, never: -1, other: 1}),
		Only: NewSubset(withheld, never, unknown),
	}
	require.Equal(t, map[project.Branch]bool{withheld: true}, p.Withheld(), "the others are not looked at")
	require.Len(t, p.Candidates(), 1)
	requireKinds(t, map[string]string{never.String(): KindNotConfigured, unknown.String(): KindNotConfigured}, p.SubsetFailures())
	p.Detail = true
	require.Len(t, p.Candidates(), 2)
	requireKinds(t, map[string]string{unknown.String(): KindNotConfigured}, p.SubsetFailures())
	p.Chains = bucket(map[project.Branch][]string{other: {a}})
	p.Catalog.Syncs[2].Object.Modified = noon
	require.Equal(t, map[project.Branch]bool{withheld: true}, p.Withheld())
}

// What overlaps a named destination counts, although it is not planned itself.
func TestPlanOfSomeSeesWhatOverlaps(t *testing.T) {
	set, branch := destination("a", "refs/heads/*"), destination("a", "main")
	p := PushPlanner{Allow: project.AllowAll(), Chains: bucket(map[project.Branch][]string{set: {a, b, c}, branch: {a}}), Only: NewSubset(branch)}
	page := planPushes(p, map[project.Branch]Head{branch: {Commit: b}})
	require.Empty(t, page.Moves, "the set's object is newer")
	require.Equal(t, 1, page.UpToDate)

	near := p.Only.Project()
	require.True(t, near(project.Branch{Group: "DST", Name: "a", Branch: "x"}))
	require.False(t, near(destination("b", "main")))
	require.True(t, NewSubset().Project()(destination("b", "main")))
}
