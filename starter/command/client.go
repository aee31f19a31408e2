package command

import (
	"cmp"
	"context"
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
}

// connect determines the role and connects to its Temporal.
func connect(ctx context.Context, c *cli.Command) (roleClient, error) {
	role, err := contract.RoleOf(c.String("role"), os.Getenv("PUBLIC_KEY") != "", os.Getenv("PRIVATE_KEY") != "")
	if err != nil {
		return roleClient{}, err
	}
	environ, err := config.Temporal(os.Environ())
	if err != nil {
		return roleClient{}, err
	}
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: environ})
	if err != nil {
		return roleClient{}, fmt.Errorf("temporal configuration: %w", err)
	}
	options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // its errors are returned, too
	s := roleClient{Role: role, namespace: cmp.Or(options.Namespace, client.DefaultNamespace)}
	if s.Client, err = client.DialContext(ctx, options); err != nil {
		return roleClient{}, fmt.Errorf("connect to temporal at %q: %w", cmp.Or(options.HostPort, client.DefaultHostPort), err)
	}
	return s, nil
}

// withClient returns an action that uses the client of a role's Temporal.
func withClient(do func(ctx context.Context, c *cli.Command, s roleClient) error) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		s, err := connect(ctx, c)
		if err != nil {
			return err
		}
		defer s.Close()
		return do(ctx, c, s)
	}
}
