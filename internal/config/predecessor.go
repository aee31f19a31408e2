package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caarlos0/env/v11"
)

// otherNames are what git-partition-sync-producer, which this software replaces, called settings in some of its versions.
var otherNames = map[string]string{"GRAPHQL_GLSYNC_QUERY_FILE": "GRAPHQL_QUERY_FILE"}

// unused are variables that git-partition-sync-producer and -consumer had in some version, and that nothing here reads: why, and
// what takes their place.
var unused = map[string]string{ //nolint:gosec // no credentials, but what to do instead
	"CONFIG_FILE_PATH":       "the syncs' file is of another form: use SYNCS_FILE",
	"MASTER_BUNDLE_SHA256":   "it compared bundles with -pr-check: use PREVIOUS_BUNDLE_SHA with starter check",
	"PRIVATE_GPG_PATH":       "objects are encrypted with age, not with GPG: use PRIVATE_KEY",
	"PRIVATE_GPG_PASSPHRASE": "objects are encrypted with age, not with GPG: use PRIVATE_KEY",
	"REQUEST_TIMEOUT":        "how long servers are waited for is not configured",
}

// ofGraphQL are variables that say how a GraphQL server is asked.
var ofGraphQL = []string{"GRAPHQL_USERNAME", "GRAPHQL_PASSWORD", "GRAPHQL_QUERY_FILE", "GRAPHQL_GLSYNC_QUERY_FILE"}

// ofBundles are variables that say how a check of the producer compares bundles of App-Interface.
var ofBundles = []string{"PREVIOUS_BUNDLE_SHA", "GIT_PARTITION_SAAS_NAME", "GRAPHQL_PRCHECK_QUERY_FILE"}

// Unused names the variables of environ, which has the shape of os.Environ, that somebody may have set for a reason and that have no
// effect on a side, each with what to do. It quotes no value.
func Unused(consumer bool, environ []string) (notes []string) {
	v := variables(env.ToMap(environ))
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		if v[name] != "" {
			notes = append(notes, name+": "+unused[name])
		}
	}
	for _, name := range ofGraphQL {
		if v[name] != "" && v["SYNCS_FILE"] != "" {
			notes = append(notes, name+": no GraphQL server is asked, as SYNCS_FILE is set")
		}
	}
	for _, name := range ofBundles {
		if v[name] != "" && consumer {
			notes = append(notes, name+": only a check of the producer compares bundles")
		}
	}
	return notes
}

// withOwnNames returns an environment in which settings have the names that they have here. Those that are set under two names are
// problems.
func (v variables) withOwnNames() (renamed variables, problems []error) {
	renamed = maps.Clone(v)
	for _, other := range slices.Sorted(maps.Keys(otherNames)) {
		switch own := otherNames[other]; {
		case v[other] == "":
		case v[own] == "" || v[own] == v[other]:
			renamed[own] = v[other]
		default:
			problems = append(problems, fmt.Errorf("%s and %s are two names of one setting, and differ: unset one", own, other))
		}
	}
	return renamed, problems
}
