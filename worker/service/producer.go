package service

import (
	"context"
	"fmt"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/syncsfile"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// producer is the source's side.
func producer(environ []string) (role, error) {
	c, err := config.LoadProducer(environ)
	if err != nil {
		return role{}, err
	}
	syncs, where, err := syncList(c)
	if err != nil {
		return role{}, err
	}
	return role{
		Common:        c.Common,
		Role:          contract.Producer,
		workflows:     workflows.RegisterProducer,
		redirects:     project.AllowAll(), // a source may be read wherever the token reads it
		kmsKeyID:      c.KMSKeyID,
		settings:      []any{c.KMSKeyID, c.Recipients, c.ThinPacks, c.Signer.PublicKey(), c.WritePredecessor},
		logAttributes: []any{"syncs", where, "recipients", len(c.Recipients), "signed", c.Signer.Signs(), "for the predecessor", c.WritePredecessor},
		hook:          hook{config.Endpoint{Variable: "WEBHOOK_ADDRESS", Address: c.WebhookAddress}, c.WebhookSecrets, syncs},
		activities: func(s dependencies) any {
			return &activities.Producer{
				Common:      s.Common,
				Syncs:       syncs,
				Source:      s.git,
				Recipients:  c.Recipients,
				ThinPacks:   c.ThinPacks,
				Signer:      c.Signer,
				Environment: c.Environment.Name(),
				Retention:   plan.Retention{After: c.PruneAfter, MaxShare: c.MaxPruneShare},
				Version:     version(),

				CatalogInterval: c.CatalogInterval,

				WritePredecessor: c.WritePredecessor,
			}
		},
	}, nil
}

// syncList is where the wanted syncs are listed, and its address or path. A file has to be valid at the start, too.
func syncList(c config.Producer) (list activities.SyncList, where string, err error) {
	if c.SyncsFile != "" {
		file := syncsfile.At(c.SyncsFile)
		if _, err := file.Syncs(context.Background()); err != nil {
			return nil, "", fmt.Errorf("SYNCS_FILE: %w", err)
		}
		return file, c.SyncsFile, nil
	}
	client, err := graphql.New(graphql.Options{
		URL:      c.GraphQL,
		Username: c.GraphQLUsername,
		Password: c.GraphQLPassword,
		Query:    string(c.Query),
		HTTP:     c.HTTP,
	})
	if err != nil {
		return nil, "", fmt.Errorf("GRAPHQL_QUERY_FILE: %w", err)
	}
	return client, c.GraphQL.String(), nil
}
