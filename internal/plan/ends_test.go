package plan

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// A consumer's plan that is shown knows since when a destination is behind: from its producer or, without its word, only that
// it is since the newest object was uploaded.
func TestEndsOfPushes(t *testing.T) {
	t.Parallel()
	main, moved, uploaded := destination("router", "main"), noon.Add(-time.Hour), time.Unix(1, 0)
	catalogued := func(state string) *catalog.Catalog {
		return &catalog.Catalog{Syncs: []catalog.Sync{{Destination: main, State: state, SeenAt: noon, MovedAt: moved}}}
	}
	there := func(commit string) Head { return Head{Commit: commit, Noted: commit} }
	for name, tt := range map[string]struct {
		catalog *catalog.Catalog
		head    Head
		want    Ends
	}{
		"in sync":                           {catalogued(b), there(b), Ends{Source: b, Is: b}},
		"behind":                            {catalogued(b), there(a), Ends{Source: b, Is: a, BehindSince: moved}},
		"behind a source with no object":    {catalogued(c), there(b), Ends{Source: c, Is: b, BehindSince: moved}},
		"never arrived":                     {catalogued(b), Head{}, Ends{Source: b, BehindSince: moved}},
		"not created yet":                   {catalogued(b), Head{Err: errors.New("404"), NoProject: true}, Ends{Source: b, BehindSince: moved}},
		"nobody knows":                      {catalogued(b), Head{Err: errors.New("silent"), Unreachable: true}, Ends{Source: b, Unread: true}},
		"behind what is newer than that":    {catalogued(a), there(a), Ends{Source: a, Is: a, BehindSince: uploaded, AtLeast: true}},
		"behind, without a catalog":         {nil, there(a), Ends{Source: b, Is: a, BehindSince: uploaded, AtLeast: true}},
		"in sync, without a catalog":        {nil, there(b), Ends{Source: b, Is: b}},
		"never arrived, without a catalog":  {nil, Head{}, Ends{Source: b, BehindSince: uploaded, AtLeast: true}},
		"has yet to note its newest object": {nil, Head{Commit: b}, Ends{Source: b, Is: b}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := planPushes(PushPlanner{
				PageRequest: PageRequest{Detail: true}, Allow: project.AllowAll(), RequireNoted: true, Catalog: tt.catalog,
				Chains: bucket(map[project.Branch][]string{main: {a, b}}),
			}, map[project.Branch]Head{main: tt.head})
			tt.want.Objects, tt.want.Size = 2, 1100
			require.Equal(t, tt.want, *endsIn(t, page.InSync, page.Ends))
		})
	}
}

// A producer's plan knows it from its catalog: what has moved since that was written has moved just now.
func TestEndsOfUploads(t *testing.T) {
	t.Parallel()
	s, moved := sync("router", "main"), noon.Add(-time.Hour)
	for name, tt := range map[string]struct {
		state string // of the last catalog
		head  Head
		want  Ends
	}{
		"in sync":                          {b, Head{Commit: b}, Ends{Source: b, Is: b}},
		"moved just now":                   {b, Head{Commit: c}, Ends{Source: c, Is: b, BehindSince: noon}},
		"moved before":                     {c, Head{Commit: c}, Ends{Source: c, Is: b, BehindSince: moved}},
		"moved before, and since":          {a, Head{Commit: c}, Ends{Source: c, Is: b, BehindSince: moved, AtLeast: true}},
		"without a catalog":                {"", Head{Commit: c}, Ends{Source: c, Is: b}},
		"nobody knows what was seen in it": {c, Head{Err: errors.New("silent"), Unreachable: true}, Ends{Source: c, Is: b, Unread: true, BehindSince: moved}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := planUploads(UploadPlanner{
				PageRequest: PageRequest{Detail: true}, Syncs: []project.Sync{s}, Now: noon,
				Chains:   bucket(map[project.Branch][]string{s.Destination: {a, b}}),
				LastSeen: func(project.Branch) catalog.Sync { return catalog.Sync{State: tt.state, MovedAt: moved} },
			}, map[project.Branch]Head{s.Source: tt.head})
			tt.want.Objects, tt.want.Size = 2, 1100
			require.Equal(t, tt.want, *endsIn(t, page.InSync, page.Ends))
		})
	}
	page := planUploads(UploadPlanner{PageRequest: PageRequest{Detail: true}, Syncs: []project.Sync{s}, Now: noon}, map[project.Branch]Head{s.Source: {Commit: a}})
	require.Equal(t, Ends{Source: a}, *endsIn(t, page.InSync, page.Ends), "nobody has a catalog, and nothing ever arrived")
}

func endsIn(t *testing.T, inSync []BranchStatus, others map[string]*Ends) *Ends {
	t.Helper()
	if len(inSync) == 1 {
		return inSync[0].Ends
	}
	require.Len(t, others, 1)
	return others["dst/router@main"]
}
