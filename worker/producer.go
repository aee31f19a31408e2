package main

import (
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// producer is the source's side.
func producer(environ []string) (role, error) {
	c, err := config.LoadProducer(environ)
	if err != nil {
		return role{}, err
	}
	syncs, err := graphql.New(graphql.Options{
		URL:      c.GraphQL,
		Username: c.GraphQLUsername,
		Password: c.GraphQLPassword,
		Query:    string(c.Query),
		HTTP:     c.HTTP,
	})
	if err != nil {
		return role{}, fmt.Errorf("GRAPHQL_QUERY_FILE: %w", err)
	}
	r := role{
		Common:        c.Common,
		Role:          contract.Producer,
		workflows:     workflows.RegisterProducer,
		redirects:     project.AllowAll(), // a source may be read wherever the token reads it
		kmsKeyID:      c.KMSKeyID,
		logAttributes: []any{"graphql", c.GraphQL, "recipients", len(c.Recipients), "signed", c.Signer.Signs()},
	}
	r.activities = func(s dependencies) any {
		return &activities.Producer{
			Syncs:       syncs,
			Source:      s.git,
			Bucket:      s.bucket,
			Staging:     s.staging,
			Recipients:  c.Recipients,
			ThinPacks:   c.ThinPacks,
			Signer:      c.Signer,
			Host:        s.hostQueue,
			Environment: c.Environment.Name(),
			Retention:   plan.Retention{After: c.PruneAfter, MaxShare: c.MaxPruneShare},
			Clock:       time.Now,
			Version:     version(),
			Settings:    r.settings(c.KMSKeyID, c.Recipients, c.ThinPacks, c.Signer.PublicKey()),
			LastRuns:    s.lastRuns,
		}
	}
	return r, nil
}
