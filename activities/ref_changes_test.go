package activities

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

var (
	objectA, objectB, objectC = strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)
	deleteAll                 = deletionPolicy{allowed: true, maxShare: 1}
)

// setRefsOf is a destination of refs/* with refs "heads/x" at objects, and shadows likewise.
func setRefsOf(at, put map[string]string) setRefs {
	s := setRefs{set: project.Branch{Group: "g", Name: "n", Branch: "refs/*"}, at: map[string]string{}, put: map[string]string{}}
	for name, object := range at {
		s.at["refs/"+name] = object
	}
	for name, object := range put {
		s.put["refs/"+name] = object
	}
	return s
}

func listOf(t require.TestingT, parts map[string]string) refset.List {
	var refs []refset.Ref
	for part, object := range parts {
		refs = append(refs, refset.Ref{Part: part, Object: object})
	}
	list, err := refset.New(refs)
	require.NoError(t, err)
	return list
}

func TestChangesTo(t *testing.T) {
	t.Parallel()
	type refs = map[string]string
	for name, test := range map[string]struct {
		at, put, list refs
		policy        deletionPolicy
		defaultBranch string
		headObject    string
		want          []string // "ref old>new (oldShadow>newShadow)", abbreviated
		refused, kept []string
	}{
		"a new one":                       {list: refs{"tags/v1": objectA}, want: []string{"tags/v1 ->a (->a)"}},
		"one that moves":                  {at: refs{"tags/v1": objectA}, put: refs{"tags/v1": objectA}, list: refs{"tags/v1": objectB}, want: []string{"tags/v1 a>b (a>b)"}},
		"nothing":                         {at: refs{"tags/v1": objectA}, put: refs{"tags/v1": objectA}, list: refs{"tags/v1": objectA}},
		"one of somebody else's":          {at: refs{"tags/v1": objectA}, list: refs{"heads/x": objectB}, want: []string{"heads/x ->b (->b)"}},
		"right already, by somebody else": {at: refs{"tags/v1": objectA}, list: refs{"tags/v1": objectA}},
		"put right by somebody else":      {at: refs{"tags/v1": objectB}, put: refs{"tags/v1": objectA}, list: refs{"tags/v1": objectB}, want: []string{"tags/v1 b>b (a>-)"}},
		"moved by somebody else":          {at: refs{"tags/v1": objectC}, put: refs{"tags/v1": objectA}, list: refs{"tags/v1": objectA}, want: []string{"tags/v1 c>a (a>a)"}},
		"deleted by somebody else":        {put: refs{"tags/v1": objectA}, list: refs{"tags/v1": objectA}, want: []string{"tags/v1 ->a (a>a)"}},
		"deleted":                         {at: refs{"tags/v1": objectA}, put: refs{"tags/v1": objectA}, policy: deleteAll, want: []string{"tags/v1 a>- (a>-)"}},
		"deleted, and moved by another":   {at: refs{"tags/v1": objectB}, put: refs{"tags/v1": objectA}, policy: deleteAll, want: []string{"tags/v1 b>b (a>-)"}},
		"deleted on both sides":           {put: refs{"tags/v1": objectA}, policy: deleteAll, want: []string{"tags/v1 ->- (a>-)"}},
		"deleted, which is not wanted":    {at: refs{"tags/v1": objectA}, put: refs{"tags/v1": objectA}, kept: []string{"tags/v1"}},
		"deleted, the default branch":     {at: refs{"heads/x": objectA}, put: refs{"heads/x": objectA}, policy: deleteAll, defaultBranch: "refs/heads/x", kept: []string{"heads/x"}},
		"deleted, maybe the default branch": {at: refs{"heads/x": objectA, "heads/y": objectB, "heads/z": objectA, "tags/x": objectA}, put: refs{"heads/x": objectA, "heads/y": objectB, "heads/z": objectA, "tags/x": objectA},
			policy: deleteAll, headObject: objectA, want: []string{"heads/y b>- (b>-)", "tags/x a>- (a>-)"}, kept: []string{"heads/x", "heads/z"}},
		"folder where a file was": {at: refs{"heads/x": objectA}, put: refs{"heads/x": objectA}, list: refs{"heads/x/y": objectA}, policy: deleteAll,
			want: []string{"heads/x a>- (a>-)", "heads/x/y ->a (->a)"}},
		"folder where a file stays": {at: refs{"heads/x": objectA}, list: refs{"heads/x/y/z": objectA, "heads/y": objectA}, policy: deleteAll,
			want: []string{"heads/y ->a (->a)"}, refused: []string{"heads/x/y/z: refs/heads/x is there"}},
		"file where a folder stays": {at: refs{"heads/x/y": objectA}, put: refs{"heads/x/y": objectA}, list: refs{"heads/x": objectA},
			refused: []string{"heads/x: refs/heads/x/y is there"}, kept: []string{"heads/x/y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setRefsOf(test.at, test.put)
			s.defaultBranch, s.headObject = test.defaultBranch, test.headObject
			to := s.changesTo(listOf(t, test.list), test.policy)
			var changes []string
			for _, c := range to.changes {
				line := strings.TrimPrefix(c.ref, "refs/")
				for i, object := range []string{c.old, c.new, c.oldShadow, c.newShadow} {
					line += []string{" ", ">", " (", ">"}[i] + (object + "-")[:1]
				}
				line += ")"
				changes = append(changes, line)
			}
			require.Equal(t, test.want, changes)
			require.Len(t, to.refused, len(test.refused))
			for i, r := range to.refused {
				require.Contains(t, strings.TrimPrefix(r.ref, "refs/")+": "+r.reason, test.refused[i])
			}
			for i, ref := range to.kept {
				to.kept[i] = strings.TrimPrefix(ref, "refs/")
			}
			require.Equal(t, test.kept, to.kept)
		})
	}
}

func TestMassDeletion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		put, gone int
		share     float64
		mass      bool
	}{
		{10, 10, 0.1, false}, {11, 11, 0.1, true}, {22, 11, 0.5, false}, {22, 12, 0.5, true}, {1000, 11, 0, true}, {11, 11, 1, false},
	} {
		at, list := map[string]string{"tags/theirs": objectA, "tags/theirs2": objectA}, map[string]string{}
		put := map[string]string{}
		for i := range test.put {
			name := fmt.Sprint("tags/", i)
			at[name], put[name] = objectA, objectA
			if i >= test.gone {
				list[name] = objectA
			}
		}
		list["tags/new"] = objectB
		to := setRefsOf(at, put).changesTo(listOf(t, list), deletionPolicy{allowed: true, maxShare: test.share})
		require.Equal(t, test.mass, to.massDeletion, test)
		if test.mass {
			require.Len(t, to.changes, 1, "all else arrives")
			require.Len(t, to.kept, test.gone)
		} else {
			require.Len(t, to.changes, 1+test.gone)
		}
	}
}

// repository makes updates in one transaction, as git does.
type repository map[string]string

func (r repository) update(t require.TestingT, updates []smarthttp.RefUpdate) {
	for _, u := range updates {
		require.Equal(t, r[u.Ref], u.Old)
		for _, other := range updates {
			require.False(t, u.Old == "" && other.New == "" && (strings.HasPrefix(u.Ref, other.Ref+"/") || strings.HasPrefix(other.Ref, u.Ref+"/")),
				"git creates and deletes %s and %s not at the same time", u.Ref, other.Ref)
		}
	}
	for _, u := range updates {
		delete(r, u.Ref)
		if u.New != "" {
			r[u.Ref] = u.New
		}
	}
	for ref := range r {
		for other := range r {
			require.False(t, strings.HasPrefix(ref, other+"/"), "%s is below %s", ref, other)
		}
	}
}

func (r repository) setRefs() setRefs {
	s := setRefsOf(nil, nil)
	for ref, object := range r {
		if name, ok := shadowed(ref); ok {
			s.put[name] = object
		} else {
			s.at[ref] = object
		}
	}
	return s
}

// Whatever the destination has, what others and this consumer have put there, and wherever a push breaks off: at the end each
// listed ref is as listed unless something of others is in its way, and what others have put there is as it was.
func TestChangesLeadToTheList(t *testing.T) {
	t.Parallel()
	names := []string{"heads/a", "heads/a/b", "heads/a/b/c", "heads/d", "tags/a", "tags/a/b"}
	objects := rapid.SampledFrom([]string{objectA, objectB, objectC})
	// refs have no two names of which one is a folder of the other.
	refs := rapid.Custom(func(t *rapid.T) map[string]string {
		out := map[string]string{}
		for _, name := range rapid.Permutation(names).Draw(t, "names")[:rapid.IntRange(0, 4).Draw(t, "n")] {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(out)), func(other string) bool {
				return strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/")
			}) {
				out[name] = objects.Draw(t, name)
			}
		}
		return out
	})
	rapid.Check(t, func(t *rapid.T) {
		repo := repository{}
		for name, object := range refs.Draw(t, "refs") {
			repo["refs/"+name] = object
			if rapid.Bool().Draw(t, "is ours") {
				repo[shadowOf("refs/"+name)] = object
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "pushes") {
			list := listOf(t, refs.Draw(t, "list"))
			before := maps.Clone(repo)
			if rapid.Bool().Draw(t, "breaks off") { // after shadows of what is made, or after some of the refs, or after the first step
				changes := repo.setRefs().changesTo(list, deleteAll).changes
				first, then := inTwoSteps(changes)
				repo.update(t, updatesOf(first))
				if rapid.Bool().Draw(t, "in the second step") {
					for _, c := range withShadowAhead(then) {
						repo.update(t, []smarthttp.RefUpdate{c.shadowUpdate()})
					}
					for _, c := range then {
						if u := c.refUpdate(); u.Old != u.New && rapid.Bool().Draw(t, "arrives") {
							repo.update(t, []smarthttp.RefUpdate{u})
						}
					}
				}
			}
			to := repo.setRefs().changesTo(list, deleteAll)
			first, then := inTwoSteps(to.changes)
			repo.update(t, updatesOf(first))
			repo.update(t, updatesOf(then))

			refused := map[string]bool{}
			for _, r := range to.refused {
				refused[r.ref] = true
			}
			listed := map[string]bool{}
			for _, r := range list {
				ref := "refs/" + r.Part
				listed[ref] = true
				if !refused[ref] {
					require.Equal(t, r.Object, repo[ref], ref)
				}
			}
			for ref, object := range before {
				if _, isShadow := shadowed(ref); !isShadow && !listed[ref] && before[shadowOf(ref)] != object {
					require.Equal(t, object, repo[ref], "%s is somebody else's", ref)
				}
			}
			for ref, object := range repo {
				if name, isShadow := shadowed(ref); isShadow && !refused[name] {
					require.Equal(t, object, repo[name], "a shadow says what is there")
				}
			}
			again := repo.setRefs().changesTo(list, deleteAll)
			require.Empty(t, again.changes)
			require.Equal(t, to.refused, again.refused)
		}
	})
}
