package main

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func openConsumer(ctx context.Context, environ []string, logger *slog.Logger) (*side, error) {
	c, err := config.LoadConsumer(environ)
	if err != nil {
		return nil, err
	}
	store, err := openBucket(ctx, c.Side, bucket.Options{}, logger)
	if err != nil {
		return nil, err
	}
	area, err := staging.Open(ctx, c.WorkDir, logger)
	if err != nil {
		return nil, err
	}
	host := hostQueue(contract.ConsumerTaskQueue, area)
	logger.Info("Consumer configured", "destination", c.BaseURL.Host, "bucket", c.Bucket,
		"identities", len(c.Identities), "verify keys", c.Verifier.Keys(), "policy", c.PushPolicy, "workdir", c.WorkDir)
	if !c.Verifier.Verifies() {
		logger.Warn(activities.Unverified)
	}
	steps := &activities.Consumer{
		Destination: gitServer(c.Side, c.Allow.AllowsPath),
		Bucket:      store,
		Staging:     area,
		Identities:  c.Identities,
		Verifier:    c.Verifier,
		Allow:       c.Allow,

		FastForwardOnly: c.PushPolicy == config.PolicyFastForward,

		Environment: c.Environment,
		Host:        host,
		Settings:    fingerprint(c.BaseURL, c.GitLabUsername, c.Bucket, recipientsOf(c.Identities), c.Verifier, c.PushPolicy, c.Allow, c.Environment.Name(), version()),
	}
	return &side{
		taskQueue:  contract.ConsumerTaskQueue,
		hostQueue:  host,
		workflows:  workflows.RegisterConsumer,
		activities: steps,
		connect: func(c client.Client) {
			steps.LastRuns = activities.LastRuns{Executions: c, ID: contract.ConsumeProjectID}
		},
		staging:       area,
		log:           logger,
		environ:       c.Temporal,
		maxConcurrent: c.MaxConcurrent,
		drain:         c.DrainTimeout,
		healthAddress: c.HealthAddress,
	}, nil
}
