package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

// pair is a sync of the two branches, tags or patterns in one project each.
func pair(source, destination string) project.Sync {
	return project.Sync{
		Source:      project.Branch{Group: "platform", Name: "router", Branch: source},
		Destination: project.Branch{Group: "mirror/platform", Name: "router", Branch: destination},
	}
}

// refLister lists refs as a server would, and counts how often it is asked.
type refLister struct {
	list  func(yield func(name, object string) error) error
	asked int
}

func (l *refLister) EachRef(_ context.Context, _ string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error {
	l.asked++
	return l.list(func(name, object string) error {
		for _, prefix := range append(wanted.Prefixes, wanted.Names...) {
			if strings.HasPrefix(name, prefix) {
				return visit(smarthttp.Ref{Name: name, Object: object})
			}
		}
		return nil
	})
}

func (l *refLister) Refs(context.Context, string, ...string) (map[string]string, error) {
	return nil, errors.New("a survey reads one ref after the other")
}

// One look at a project is enough for all of its syncs, be they of branches, of tags or of sets.
func TestHeadsOfSets(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]gitserver.Option{"v2": nil, "v0": {gitserver.WithoutProtocolV2()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var client *smarthttp.Client
			r.source, client = r.git(sourceRepo, options...)
			tip := r.commitOn("main", "one")
			r.annotate("main", "first")
			tag, err := r.source.Git(t.Context(), sourceRepo, "rev-parse", "v1")
			require.NoError(t, err)
			for _, ref := range []string{"heads/release/1", "heads/release-2", "tags/light", "merge-requests/1/head", "keep-around/" + tip, "tags/-x"} {
				r.atSource("update-ref", "refs/"+ref, tip)
			}
			whole, tags, releases := pair("refs/*", "refs/*"), pair("refs/tags/*", "refs/tags/upstream/*"), pair("refs/heads/release*", "refs/heads/release*")
			hidden, none, one := pair("refs/heads/release*", "refs/heads/*"), pair("refs/heads/none-*", "refs/heads/none-*"), pair("main", "main")
			syncs := []project.Sync{whole, tags, releases, hidden, none, one}
			survey := newSurvey(scanLimits, client)
			heads, err := survey.readHeads(t.Context(), headRequest{syncs: syncs})
			require.NoError(t, err)

			id := func(parts ...string) string {
				var refs []refset.Ref
				for _, part := range parts {
					object := tip
					if strings.HasSuffix(part, "v1") {
						object = tag
					}
					refs = append(refs, refset.Ref{Part: part, Object: object})
				}
				list, err := refset.New(refs)
				require.NoError(t, err)
				return list.StateID()
			}
			require.Equal(t, map[project.Branch]plan.Head{
				whole.Destination:    {Commit: id("heads/main", "heads/release-2", "heads/release/1", "tags/light", "tags/v1")},
				tags.Destination:     {Commit: id("light", "v1")},
				releases.Destination: {Commit: id("-2", "/1")},
				hidden.Destination:   {}, // nothing can be named refs/heads/-2 or refs/heads//1
				none.Destination:     {},
				one.Destination:      {Commit: tip},
			}, heads)
		})
	}
}

// A note of a set has the state in its name, which the survey does not know before.
func TestNotesOfSets(t *testing.T) {
	t.Parallel()
	set := pair("refs/tags/*", "refs/tags/*").Destination
	noted := strings.Repeat("a", 40)
	at := time.Unix(1_700_000_000, 0)
	lister := &refLister{list: func(yield func(name, object string) error) error {
		return errors.Join(
			yield(setNotePrefix(set, at.Add(-time.Second), noteSettings{})+strings.Repeat("b", 40), aCommit),
			yield(setNotePrefix(set, at, noteSettings{})+noted, aCommit),
			yield(setNotePrefix(set, at, noteSettings{})+"x", aCommit),
			yield(setNotePrefix(set, at, noteSettings{keeping: true})+strings.Repeat("c", 40), aCommit),
			yield(setNotePrefix(set, at, noteSettings{unsigned: true})+strings.Repeat("d", 40), aCommit),
			yield("refs/tags/v1", aCommit),
		)
	}}
	heads, err := newSurvey(scanLimits, lister).readHeads(t.Context(), headRequest{
		syncs: ofThemselves([]project.Branch{set}), notes: map[project.Branch]string{set: setNotePrefix(set, at, noteSettings{})},
	})
	require.NoError(t, err)
	list, err := refset.New([]refset.Ref{{Part: "v1", Object: aCommit}})
	require.NoError(t, err)
	require.Equal(t, map[project.Branch]plan.Head{set: {Commit: list.StateID(), Noted: noted}}, heads)
}

// What is wrong with one set does not concern the project's other syncs.
func TestTroubleOfASetStaysItsOwn(t *testing.T) {
	t.Parallel()
	many, few, one := pair("refs/tags/*", "refs/tags/*"), pair("refs/heads/*", "refs/heads/*"), pair("refs/tags/000007", "refs/tags/seven")
	lister := &refLister{list: func(yield func(name, object string) error) error {
		for i := range refset.MaxRefs + 1 {
			if err := yield(fmt.Sprintf("refs/tags/%06d", i), aCommit); err != nil {
				return err
			}
		}
		return errors.Join(yield("refs/heads/b", aCommit), yield("refs/heads/c", aCommit))
	}}
	heads, err := newSurvey(scanLimits, lister).readHeads(t.Context(), headRequest{syncs: []project.Sync{many, few, one}})
	require.NoError(t, err)
	require.ErrorIs(t, heads[many.Destination].Err, refset.ErrTooMany)
	require.False(t, heads[many.Destination].Unreachable, "its run says so")
	require.NoError(t, heads[few.Destination].Err)
	require.NotEmpty(t, heads[few.Destination].Commit)
	require.Equal(t, plan.Head{Commit: aCommit}, heads[one.Destination])
	require.Equal(t, 1, lister.asked)
}
