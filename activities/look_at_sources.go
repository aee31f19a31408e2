package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/catalog"
	"github.com/app-sre/git-partition-sync/internal/fleet"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// maxLook is how long the store has to send a catalog to those who only look.
const maxLook = 10 * time.Second

// SourceStates is what the producer's catalog says of all syncs. The zero value says nothing.
type SourceStates struct {
	Seen    catalog.Seen
	Created time.Time
	Syncs   []fleet.Source
	// Failure is why there is nothing newer than this; nil if nothing is wrong.
	Failure *plan.Failure
}

// SourceLook reads the states of sources again, for people: no plan goes by it. It asks the store only for what has changed, and
// returns the last ones as long as there are no others that are the producer's.
type SourceLook func(ctx context.Context, last SourceStates) SourceStates

// LookAtSources returns how the side of the given activities sees the states of sources; nil if it has no means to tell whose
// catalog it is. It is no method, because those of activities are activities.
func LookAtSources(of any) SourceLook {
	look := func(b *bucket.Bucket, open func([]byte) (catalog.Catalog, error)) SourceLook {
		return func(ctx context.Context, last SourceStates) SourceStates { return lookAtSources(ctx, b, last, open) }
	}
	switch side := of.(type) {
	case *Producer:
		if side.keepsCatalog() {
			return look(side.Bucket, side.openCatalog)
		}
	case *Consumer:
		if side.Verifier.Verifies() {
			return look(side.Bucket, side.openCatalog)
		}
	}
	return nil
}

func lookAtSources(ctx context.Context, b *bucket.Bucket, last SourceStates, open func([]byte) (catalog.Catalog, error)) SourceStates {
	ctx, done := context.WithTimeout(ctx, maxLook)
	defer done()
	last.Failure = nil
	fail := func(kind string, err error) SourceStates {
		last.Failure = &plan.Failure{Subject: plan.SubjectCatalog, Kind: kind, Reason: WithRemedy(kind, foreign.Line(err.Error(), maxCatalogError))}
		return last
	}
	content, etag, err := b.GetIfChanged(ctx, catalog.Key, last.Seen.ETag, catalog.MaxSize+1)
	switch {
	case errors.Is(err, bucket.ErrUnchanged), errors.Is(err, bucket.ErrNotFound) && last.Seen.Sequence == 0:
		return last
	case errors.Is(err, bucket.ErrNotFound):
		return fail(plan.KindCatalogMissing, err)
	case err != nil:
		return fail(kindOf(err), err)
	}
	read, err := open(content)
	switch {
	case err != nil:
		return fail(plan.KindCatalogInvalid, err)
	case read.Sequence < last.Seen.Sequence:
		before := "a later one before"
		if !last.Created.IsZero() {
			before += ", of " + last.Created.UTC().Format(time.RFC3339)
		}
		return fail(plan.KindCatalogReplayed, fmt.Errorf("the catalog in the bucket is of %s, and there was %s", timeOfCatalog(seen(read)), before))
	}
	return SourceStates{Seen: catalog.Seen{ETag: etag, Sequence: read.Sequence}, Created: read.CreatedAt, Syncs: sourcesOf(read)}
}

func sourcesOf(c catalog.Catalog) []fleet.Source {
	sources := make([]fleet.Source, 0, len(c.Syncs))
	for _, s := range c.Syncs {
		sources = append(sources, knownSource(s))
	}
	return sources
}

func knownSource(s catalog.Sync) fleet.Source {
	source := fleet.Source{Destination: s.Destination, State: s.State, SeenAt: s.SeenAt, MovedAt: s.MovedAt}
	if s.Object != nil {
		source.Object, source.MadeAt = s.Object.Commit, s.Object.MadeAt
	}
	if s.Failure != nil {
		source.Failure = &fleet.Failure{Kind: s.Failure.Kind, Since: s.Failure.Since, Remedy: remedyOf(s.Failure.Kind)}
	}
	return source
}

// Of returns the sources of the given destinations. Of those that the catalog does not know, only the names are known.
func (s SourceStates) Of(destinations []project.Branch) []fleet.Source {
	all := make([]fleet.Source, 0, len(destinations))
	for _, b := range destinations {
		source := fleet.Source{Destination: b}
		if i, ok := slices.BinarySearchFunc(s.Syncs, b, func(s fleet.Source, b project.Branch) int { return catalog.Compare(s.Destination, b) }); ok {
			source = s.Syncs[i]
		}
		all = append(all, source)
	}
	return all
}
