package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/urfave/cli/v3"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// roleClient is a client of one side's Temporal.
type roleClient struct {
	client.Client
	contract.Role

	namespace string
	console   *console
}

// connect determines the role and connects to its Temporal.
func connect(ctx context.Context, c *cli.Command) (roleClient, error) {
	role, err := contract.RoleOf(c.String("role"), os.Getenv("PUBLIC_KEY") != "", os.Getenv("PRIVATE_KEY") != "")
	if err != nil {
		return roleClient{}, usagef("%w", err)
	}
	environ, err := config.Temporal(os.Environ())
	if err != nil {
		return roleClient{}, usagef("%w", err)
	}
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: environ})
	if err != nil {
		return roleClient{}, usagef("temporal configuration: %w", err)
	}
	options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // its errors are returned, too
	s := roleClient{Role: role, namespace: cmp.Or(options.Namespace, client.DefaultNamespace), console: newConsole(c)}
	if s.Client, err = client.DialContext(ctx, options); err != nil {
		return roleClient{}, fmt.Errorf("connect to temporal at %q: %w", cmp.Or(options.HostPort, client.DefaultHostPort), contract.ServerError(err))
	}
	return s, nil
}

// withClient returns an action that uses the client of a role's Temporal, for as long as --timeout allows.
func withClient(do func(ctx context.Context, c *cli.Command, s roleClient) error) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		if limit := c.Duration("timeout"); limit > 0 {
			limited, cancel := context.WithTimeoutCause(ctx, limit, errTimeIsUp)
			defer cancel()
			ctx = limited
		}
		s, err := connect(ctx, c)
		if err != nil {
			return cmp.Or(stopped(ctx, err, "nothing was started, as there was no connection to Temporal yet"), err)
		}
		defer s.Close()
		err = do(ctx, c, s)
		if _, said := errors.AsType[*ending](err); err != nil && !said {
			err = cmp.Or(stopped(ctx, err, "whatever was started goes on; the command status tells how far it is"), err)
		}
		return err
	}
}
