package graphql

import (
	"context"
	"errors"
	"fmt"
)

// SaasFile lists the refs that a saas file of App-Interface deploys: of each resource template those of its targets, in the order
// of the answer. It is nil when there is no such file.
//
// Errors: as of Syncs.
func (c *Client) SaasFile(ctx context.Context, name string) ([][]string, error) {
	answer, err := saasFiles(ctx, c.saas)
	if err != nil {
		return nil, err
	}
	if answer.Saas_files == nil {
		return nil, errors.New("graphql server answered without saas_files_v2")
	}
	for i, file := range answer.Saas_files {
		if file == nil {
			return nil, fmt.Errorf("graphql server answered null for saas_files_v2[%d]", i)
		}
		if file.Name == name {
			return refsOf(file)
		}
	}
	return nil, nil
}

func refsOf(file *saasFile) ([][]string, error) {
	refs := make([][]string, len(file.ResourceTemplates))
	for i, template := range file.ResourceTemplates {
		if template == nil {
			return nil, fmt.Errorf("graphql server answered null for a resource template of %q", cutName(file.Name))
		}
		for _, target := range template.Targets {
			if target == nil {
				return nil, fmt.Errorf("graphql server answered null for a target of %q", cutName(file.Name))
			}
			refs[i] = append(refs[i], target.Ref)
		}
	}
	return refs, nil
}
