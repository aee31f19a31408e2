package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

// bundle is what of a state of App-Interface is a producer's concern.
type bundle struct {
	syncs []project.Sync
	saas  [][]string // refs that are deployed
}

// Unchanged tells whether a producer has nothing to check that has this environment, which has the shape of os.Environ: it names an
// earlier bundle of App-Interface, and there the same was wanted.
func Unchanged(ctx context.Context, environ []string) (bool, error) {
	previous, err := config.LoadPreviousBundle(environ)
	if err != nil || previous.SHA == "" {
		return false, err
	}
	c, err := config.LoadProducer(environ)
	if err != nil {
		return false, err
	}
	same, err := unchangedSince(ctx, c, previous)
	return same, explain(err, foreign.NewMask(config.Secrets(environ)...))
}

// unchangedSince tells whether App-Interface says the same of the syncs, and of the version of the producer that is deployed, as it did in
// an earlier bundle. App-Interface serves that beside the present one.
func unchangedSince(ctx context.Context, c config.Producer, previous config.PreviousBundle) (bool, error) {
	old, err := readBundle(ctx, c, previous, c.GraphQL.JoinPath("/", "..", "graphqlsha", previous.SHA))
	if errors.Is(err, graphql.ErrNotFound) {
		return false, fmt.Errorf("PREVIOUS_BUNDLE_SHA: the GraphQL server does not know this bundle: %w", err)
	}
	if err != nil {
		return false, fmt.Errorf("previous bundle: %w", err)
	}
	present, err := readBundle(ctx, c, previous, c.GraphQL)
	if err != nil {
		return false, err
	}
	// Of a saas file that is not there, as when its name is wrong, nothing can be said.
	return present.saas != nil && reflect.DeepEqual(old, present), nil
}

func readBundle(ctx context.Context, c config.Producer, previous config.PreviousBundle, server *url.URL) (b bundle, err error) {
	client, err := graphql.New(graphql.Options{
		URL: server, Username: c.GraphQLUsername, Password: c.GraphQLPassword, HTTP: c.HTTP,
		Query: string(cmp.Or(previous.Query, c.Query)), Saas: previous.Query != "",
	})
	if err != nil {
		return b, err
	}
	if b.syncs, err = client.Syncs(ctx); err != nil {
		return b, err
	}
	// Apps come in any order; that one sync is there twice is a difference.
	slices.SortFunc(b.syncs, func(x, y project.Sync) int { return cmp.Compare(fmt.Sprintf("%q", x), fmt.Sprintf("%q", y)) })
	b.saas, err = client.SaasFile(ctx, previous.Saas)
	return b, err
}
