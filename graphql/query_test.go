package graphql_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/graphql"
)

func TestQueryIsChecked(t *testing.T) {
	const (
		sides = `sourceProject { name group branch } destinationProject { name group branch }`
		apps  = `apps_v1 { codeComponents { gitlabSync { ` + sides + ` } } }`
	)
	tests := map[string]struct{ query, err string }{
		"anonymous":          {`{ ` + apps + ` }`, ""},
		"named":              {`query syncs { ` + apps + ` }`, ""},
		"aliased":            {`{ apps_v1: apps_v2 { codeComponents { gitlabSync { ` + sides + ` } } } }`, ""},
		"more fields":        {`{ users_v1 { name } ` + apps + ` }`, ""},
		"malformed":          {`{ apps_v1 {`, "graphql query: "},
		"empty":              {` # nothing`, "0 operations"},
		"two operations":     {`query a { ` + apps + ` } query b { ` + apps + ` }`, "2 operations"},
		"mutation":           {`mutation { ` + apps + ` }`, "is a mutation"},
		"variables":          {`query ($a: Int) { ` + apps + ` }`, "declares variables"},
		"other field":        {`{ users_v1 { name } }`, "does not select apps_v1"},
		"renamed":            {`{ apps: ` + apps + ` }`, "does not select apps_v1"},
		"no components":      {`{ apps_v1 { name } }`, "does not select apps_v1.codeComponents"},
		"no branch":          {`{ apps_v1 { codeComponents { gitlabSync { sourceProject { name group branch } destinationProject { name group } } } } }`, "gitlabSync.destinationProject.branch"},
		"absent fragment":    {`{ ...a }`, "does not select apps_v1"},
		"recursive fragment": {`{ ...a } fragment a on Query { ...a }`, "does not select apps_v1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := graphql.New(graphql.Options{URL: &url.URL{Scheme: "https", Host: "host"}, Query: test.query})
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
		})
	}
}
