package graphqlserver

import "fmt"

// query resolves the schema's Query type.
type query struct{ file string }

// The types of the schema. Their fields are the resolvers, pointers where the
// schema allows null.
type (
	app struct {
		Name           string
		CodeComponents *[]*codeComponent
	}
	codeComponent struct {
		Name       string
		GitlabSync *sync
	}
	saasFile struct {
		Name              string
		ResourceTemplates *[]*saasTemplate
	}
	saasTemplate struct{ Targets *[]*saasTarget }
	saasTarget   struct{ Ref string }
)

// AppsV1 has one component per sync and, as App-Interface does, also components
// without a sync and apps without components.
func (q *query) AppsV1() (*[]*app, error) {
	syncs, err := load(q.file)
	if err != nil {
		return nil, err
	}
	components := []*codeComponent{{Name: "not-synced"}}
	for i := range syncs {
		components = append(components, &codeComponent{Name: fmt.Sprintf("synced-%d", i), GitlabSync: &syncs[i]})
	}
	return &[]*app{
		{Name: "without-components"},
		{Name: "with-components", CodeComponents: &components},
	}, nil
}

// SaasFilesV2 has the one that deploys the producer.
func (q *query) SaasFilesV2() *[]*saasFile {
	return &[]*saasFile{{
		Name:              "saas-git-partition-sync-producer",
		ResourceTemplates: &[]*saasTemplate{{Targets: &[]*saasTarget{{Ref: "main"}}}},
	}}
}

// SourceProject is null, which the schema forbids, when the file leaves it out:
// the query then fails in part, as App-Interface's do.
func (s *sync) SourceProject() *branch { return s.Source }

// DestinationProject is like SourceProject.
func (s *sync) DestinationProject() *branch { return s.Destination }
