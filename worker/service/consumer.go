package service

import (
	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/activities"
	"github.com/app-sre/git-partition-sync/internal/config"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/version"
	"github.com/app-sre/git-partition-sync/workflows"
	"github.com/app-sre/git-partition-sync/workflows/contract"
)

// consumer is the destination's side.
func consumer(environ []string) (role, error) {
	c, err := config.LoadConsumer(environ)
	if err != nil {
		return role{}, err
	}
	r := role{
		Common:        c.Common,
		Role:          contract.Consumer,
		workflows:     workflows.RegisterConsumer,
		redirects:     c.Allow,
		settings:      []any{recipientsOf(c.Identities), c.Verifier, c.PushPolicy, c.Allow, c.ReadPredecessor, c.CreateProjects, c.GitLabAPI, c.DeleteRefs, c.MaxDeletedShare, c.LFS},
		configuration: c,
		activities: func(s dependencies) any {
			return &activities.Consumer{
				Common:          s.Common,
				Destination:     s.git,
				LFS:             lfsDestination(s.lfs),
				Identities:      c.Identities,
				Verifier:        c.Verifier,
				Environment:     c.Environment,
				MaxCatalogAge:   c.MaxCatalogAge,
				Allow:           c.Allow,
				ReadPredecessor: c.ReadPredecessor,
				FastForwardOnly: c.PushPolicy != config.Overwrite,
				CreateProjects:  c.CreateProjects,
				Groups:          groupForge(c),
				DeleteRefs:      c.DeleteRefs,
				MaxDeletedShare: c.MaxDeletedShare,
				PollInterval:    c.PollInterval,
			}
		},
	}
	if !c.Verifier.Verifies() {
		r.warning = activities.Unverified
	}
	return r, nil
}

// lfsDestination is where LFS objects are pushed to; nil if they are left out.
func lfsDestination(server *lfsapi.Client) activities.LFSDestination {
	if server == nil {
		return nil
	}
	return server
}

// groupForge returns what creates groups; nil if nothing shall.
func groupForge(c config.Consumer) activities.GroupForge {
	if !c.GitLabAPI {
		return nil
	}
	return gitlabapi.New(gitlabapi.Options{Instance: gitlab.At(c.GitLab), Token: c.GitLabToken, HTTP: c.HTTP, Agent: version.Agent()})
}

// recipientsOf returns the public halves of identities.
func recipientsOf(identities []age.Identity) (recipients []string) {
	for _, identity := range identities {
		switch identity := identity.(type) {
		case *age.X25519Identity:
			recipients = append(recipients, identity.Recipient().String())
		case *age.HybridIdentity:
			recipients = append(recipients, identity.Recipient().String())
		}
	}
	return recipients
}
