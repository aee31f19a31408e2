package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
)

// maxHaves is how many objects the source is told that the destination has.
const maxHaves = 1000

// readSet reads all refs of a sync's set at the source. Left out are those with names that a sync of one alone could not
// have, on one side or the other.
func (p *Producer) readSet(ctx context.Context, sync project.Sync) (set state, err error) {
	var refs []refset.Ref
	var id refset.State
	leftOut, example := 0, ""
	wanted := smarthttp.Wanted{Prefixes: sync.Source.RefPrefixes(), Peel: true}
	err = p.Source.EachRef(ctx, sync.Source.Path(), wanted, func(ref smarthttp.Ref) error {
		part, ok := sync.Match(ref.Name)
		if !ok {
			leftOut, example = leftOut+1, ref.Name
			return nil
		}
		refs = append(refs, refset.Ref{Part: part, Object: ref.Object, Peeled: ref.Peeled})
		return id.Add(refs[len(refs)-1])
	})
	if err == nil && len(refs) == 0 {
		err = fmt.Errorf("a ref that matches %s %w", sync.Source.Branch, ErrNoBranch)
	}
	if err != nil {
		return state{}, err
	}
	if leftOut > 0 {
		set.leftOut = fmt.Sprintf("%d left out for their names, such as %s", leftOut, foreign.Quote(example, 40))
	}
	set.commit = id.ID()
	set.refs, err = refset.New(refs)
	return set, err
}

// wants are the objects that a state has beyond its base, each once.
func wants(base, next refset.List) (wants []string) {
	seen := make(map[string]bool, len(base))
	for _, ref := range base {
		seen[ref.Object] = true
	}
	for _, ref := range next {
		if !seen[ref.Object] {
			seen[ref.Object] = true
			wants = append(wants, ref.Object)
		}
	}
	return wants
}

// haves are objects of the base to negotiate with: those first from which most can follow. What has moved or is gone
// began at its old object. Of the others, branches tell more than tags, and the end of their order more than its
// beginning: it has the latest versions.
func haves(set project.Branch, base, next refset.List) (haves []string) {
	seen := map[string]bool{}
	add := func(ref refset.Ref) {
		if len(haves) < maxHaves && !seen[ref.Object] {
			seen[ref.Object] = true
			haves = append(haves, ref.Object)
		}
	}
	for _, ref := range refset.Diff(base, next) {
		if old, ok := base.Find(ref.Part); ok {
			add(old)
		}
	}
	for _, tags := range []bool{false, true} {
		for _, ref := range slices.Backward(base) {
			if strings.HasPrefix(set.RefFor(ref.Part), "refs/tags/") == tags {
				add(ref)
			}
		}
	}
	return haves
}

// writeRefs writes what becomes of a set's refs, and returns the bundle's header.
func writeRefs(run staging.Run, cloned *Cloned, base, tip state) (head []byte, err error) {
	set := cloned.Bundle.Destination
	difference := refset.Diff(base.refs, tip.refs)
	cloned.Changes = difference.Summary(base.refs, set.Branch)
	if cloned.Bundle.Base == "" {
		cloned.Changes = tip.refs.Summary(set.Branch)
	}
	if tip.leftOut != "" {
		cloned.Changes += "; " + tip.leftOut
	}
	text := difference.Encode()
	cloned.Bundle.BindRefs(text)
	if err := stageText(run, refsFile, text); err != nil {
		return nil, err
	}
	return bundle.EncodeSetHeader(set, difference)
}
