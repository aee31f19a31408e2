package command

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"

	"github.com/app-sre/git-partition-sync/workflows/contract"
)

func setupCommand() *cli.Command {
	return &cli.Command{
		Name:  "setup",
		Usage: "register the search attributes by which syncs are found in the UI",
		Description: `Registers SyncRole, SyncDestination and SyncOutcome in the namespace; those that are there are left alone.
It is optional, and needs the right to. Workers find out within a minute that they are there, also
for cycles that were scheduled before.`,
		Action: withClient(func(ctx context.Context, _ *cli.Command, s roleClient) error { return s.setup(ctx) }),
	}
}

func (s roleClient) setup(ctx context.Context) error {
	missing, err := s.missingSearchAttributes(ctx)
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	if len(missing) > 0 {
		_, err := s.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: s.namespace, SearchAttributes: missing})
		if err != nil {
			return fmt.Errorf("register search attributes: %w", err)
		}
	}
	fmt.Printf("namespace %s has the search attributes (%d were new)\n", s.namespace, len(missing))
	return nil
}

// missingSearchAttributes are those that setup has to register.
func (s roleClient) missingSearchAttributes(ctx context.Context) (map[string]enums.IndexedValueType, error) {
	registered, err := s.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: s.namespace})
	if err != nil {
		return nil, err
	}
	missing := map[string]enums.IndexedValueType{}
	for _, name := range contract.Attributes() {
		if _, ok := registered.CustomAttributes[name]; !ok {
			missing[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
		}
	}
	return missing, nil
}

// hasSearchAttributes tells whether setup has been run. If it may not ask, it returns false.
func (s roleClient) hasSearchAttributes(ctx context.Context) bool {
	missing, err := s.missingSearchAttributes(ctx)
	return err == nil && len(missing) == 0
}
