// Package graphql asks App-Interface's GraphQL server which syncs are wanted.
//
// The operation is query.graphql; genqlient checks it against schema.graphql and
// generates generated.go from both.
package graphql

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/project"
)

//go:generate go tool -modfile=../tools/go.mod genqlient

// Schema is the part of App-Interface's schema that the query reads, in GraphQL's
// schema language.
//
//go:embed schema.graphql
var Schema string

// Options say where the syncs are listed.
type Options struct {
	// URL is the server's GraphQL endpoint: absolute, http or https, and without credentials.
	URL *url.URL

	// Username and Password are sent as basic authentication when either is set.
	Username, Password string

	// Query is the text of one query operation that replaces the built-in one.
	// It may select more than the built-in one does, but not less.
	Query string
	// Saas says that Query, if there is one, replaces the built-in query of SaasFile, too.
	Saas bool

	// HTTP is http.DefaultClient when nil. Its CheckRedirect is not used.
	HTTP *http.Client
}

// Client lists syncs. It is safe for concurrent use.
type Client struct {
	syncs, saas *transport
}

// New refuses a query that could never work. It does not connect.
func New(opts Options) (*Client, error) {
	if opts.Query != "" {
		required := syncPaths()
		if opts.Saas {
			required = append(required, saasPaths...)
		}
		if err := checkQuery(opts.Query, required); err != nil {
			return nil, err
		}
	}
	saas := opts
	if !opts.Saas {
		saas.Query = ""
	}
	return &Client{newTransport(opts), newTransport(saas)}, nil
}

// Syncs returns every sync in the order of the answer, including duplicates. An answer that is incomplete in any way
// is an error, because the caller deletes from the bucket whatever is missing from the list.
//
// It fails with *StatusError for an answer other than 2xx, and with the errors in errors.go.
func (c *Client) Syncs(ctx context.Context) ([]project.Sync, error) {
	answer, err := gitlabSyncs(ctx, c.syncs)
	if err != nil {
		return nil, err
	}
	if answer.Apps_v1 == nil {
		return nil, errors.New("graphql server answered without apps_v1")
	}
	return flatten(answer.Apps_v1)
}

// flatten returns the syncs of all apps. An app without components and a component without a sync are normal. A null
// instead of an app or component is an error, because it could hide syncs.
func flatten(apps []*app) ([]project.Sync, error) {
	syncs := []project.Sync{}
	for i, app := range apps {
		if app == nil {
			return nil, fmt.Errorf("graphql server answered null for apps_v1[%d]", i)
		}
		for j, component := range app.CodeComponents {
			if component == nil {
				return nil, fmt.Errorf("graphql server answered null for apps_v1[%d].codeComponents[%d]", i, j)
			}
			if s := component.GitlabSync; s != nil {
				syncs = append(syncs, project.Sync{Source: branchOf(s.SourceProject), Destination: branchOf(s.DestinationProject)})
			}
		}
	}
	return syncs, nil
}

// maxNameLength is how many bytes of a name are kept. It is more than any valid name has, so a longer one only gets
// its own sync refused. A name of megabytes would not fit into a workflow's history.
const maxNameLength = 512

// branchOf leaves a name empty that is null or missing in the answer. Such a sync stays in the list, so that its
// validation refuses it instead of it vanishing.
func branchOf(p gitlabProject) project.Branch {
	return project.Branch{Group: cutName(p.Group), Name: cutName(p.Name), Branch: project.CanonicalBranch(cutName(p.Branch))}
}

func cutName(name string) string { return foreign.Cut(name, maxNameLength) }
