package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func openProducer(ctx context.Context, environ []string, logger *slog.Logger) (*side, error) {
	c, err := config.LoadProducer(environ)
	if err != nil {
		return nil, err
	}
	syncs, err := graphql.New(graphql.Options{
		URL:      c.GraphQLServer,
		Username: c.GraphQLUsername,
		Password: c.GraphQLPassword,
		Query:    c.Query,
		HTTP:     c.HTTP,
	})
	if err != nil {
		return nil, fmt.Errorf("GRAPHQL_QUERY_FILE: %w", err)
	}
	store, err := openBucket(ctx, c.Side, bucket.Options{KMSKeyID: c.KMSKeyID}, logger)
	if err != nil {
		return nil, err
	}
	area, err := staging.Open(ctx, c.WorkDir, logger)
	if err != nil {
		return nil, err
	}
	host := hostQueue(contract.ProducerTaskQueue, area)
	logger.Info("Producer configured", "source", c.BaseURL.Host, "bucket", c.Bucket,
		"graphql", c.GraphQLServer, "recipients", len(c.Recipients), "signed", c.Signer != nil, "workdir", c.WorkDir)
	steps := &activities.Producer{
		Syncs:       syncs,
		Source:      gitServer(c.Side, project.AllowAll().AllowsPath),
		Bucket:      store,
		Staging:     area,
		Recipients:  c.Recipients,
		ThinPacks:   c.ThinPacks,
		Signer:      c.Signer,
		Host:        host,
		Environment: c.Environment.Name(),
		Retention:   plan.Retention{After: c.PruneAfter, MaxShare: c.MaxPruneShare},
		Clock:       time.Now,
		Version:     version(),
		Settings:    fingerprint(c.BaseURL, c.GitLabUsername, c.Bucket, c.KMSKeyID, c.Recipients, c.ThinPacks, c.Signer != nil, c.Environment.Name(), version()),
	}
	return &side{
		taskQueue:  contract.ProducerTaskQueue,
		hostQueue:  host,
		workflows:  workflows.RegisterProducer,
		activities: steps,
		connect: func(c client.Client) {
			steps.LastRuns = activities.LastRuns{Executions: c, ID: contract.ProduceProjectID}
		},
		staging:       area,
		log:           logger,
		environ:       c.Temporal,
		maxConcurrent: c.MaxConcurrent,
		drain:         c.DrainTimeout,
		healthAddress: c.HealthAddress,
	}, nil
}
