package service

import (
	"context"
	"io"

	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// OpenBucket opens the bucket of a role as its worker does with this environment, which has the shape of os.Environ. It logs warnings.
func OpenBucket(ctx context.Context, named contract.Role, environ []string, log io.Writer) (*bucket.Bucket, error) {
	r, err := roles[named.Name](environ)
	if err != nil {
		return nil, err
	}
	mask := foreign.NewMask(config.Secrets(environ)...)
	store, err := r.openBucket(ctx, newLogger(log, mask, r.Logging))
	return store, explain(err, mask)
}

// Explain gives an error of the bucket its kind, and what to do, as Temporal would show it.
func Explain(err error, environ []string) error {
	return explain(err, foreign.NewMask(config.Secrets(environ)...))
}
