package service

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/syncsfile"
	"github.com/app-sre/git-partition-sync/internal/version"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// producer is the source's side.
func producer(environ []string) (role, error) {
	c, err := config.LoadProducer(environ)
	if err != nil {
		return role{}, err
	}
	syncs, err := syncList(c)
	if err != nil {
		return role{}, err
	}
	return role{
		Common:        c.Common,
		Role:          contract.Producer,
		workflows:     workflows.RegisterProducer,
		redirects:     project.AllowAll(), // a source may be read wherever the token reads it
		kmsKeyID:      c.KMSKeyID,
		settings:      []any{c.KMSKeyID, c.Recipients, c.ThinPacks, c.Signer.PublicKey(), c.WritePredecessor, c.LFS, c.MaxLFSProjectSize},
		configuration: c,
		hook:          hook{config.Endpoint{Variable: "WEBHOOK_ADDRESS", Address: c.WebhookAddress}, c.WebhookSecrets, syncs},
		activities: func(s dependencies) any {
			return &activities.Producer{
				Common:      s.Common,
				Syncs:       syncs,
				Source:      s.git,
				LFS:         lfsSource(c, s.lfs),
				Recipients:  c.Recipients,
				ThinPacks:   c.ThinPacks,
				Signer:      c.Signer,
				Environment: c.Environment.Name(),
				Retention:   plan.Retention{After: c.PruneAfter, MaxShare: c.MaxPruneShare},
				Version:     version.Agent(),

				CatalogInterval: c.CatalogInterval,

				MaxLFSProjectSize: int64(c.MaxLFSProjectSize),

				WritePredecessor: c.WritePredecessor,
			}
		},
	}, nil
}

// lfsSource is where LFS objects are fetched from; nil if they are left out, as for the predecessor's consumer, which does not
// know them.
func lfsSource(c config.Producer, server *lfsapi.Client) activities.LFSSource {
	if server == nil || c.WritePredecessor {
		return nil
	}
	return server
}

// syncList is where the wanted syncs are listed. A file has to be valid at the start, too.
func syncList(c config.Producer) (activities.SyncList, error) {
	if c.SyncsFile != "" {
		file := syncsfile.At(c.SyncsFile)
		if _, err := file.Syncs(context.Background()); err != nil {
			return nil, fmt.Errorf("SYNCS_FILE: %w", err)
		}
		return file, nil
	}
	client, err := graphql.New(graphql.Options{
		URL:      c.GraphQL,
		Username: c.GraphQLUsername,
		Password: c.GraphQLPassword,
		Query:    string(c.Query),
		HTTP:     c.HTTP,
	})
	if err != nil {
		return nil, fmt.Errorf("GRAPHQL_QUERY_FILE: %w", err)
	}
	return client, nil
}
