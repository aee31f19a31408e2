package config

import (
	"errors"
	"regexp"
)

// PreviousBundle is what a check of a producer is told of the state that it is compared with.
type PreviousBundle struct {
	// SHA is the bundle of App-Interface; empty for none.
	SHA string `env:"PREVIOUS_BUNDLE_SHA"`
	// Saas is the saas file that deploys the producer.
	Saas string `env:"GIT_PARTITION_SAAS_NAME" envDefault:"saas-git-partition-sync-producer"`
	// Query replaces the built-in GraphQL queries for the syncs and the saas files unless it is empty.
	Query Query `env:"GRAPHQL_PRCHECK_QUERY_FILE" form:"path"`
}

// LoadPreviousBundle reads the configuration from environ, which has the shape of os.Environ.
func LoadPreviousBundle(environ []string) (PreviousBundle, error) {
	return load(environ, (*PreviousBundle).complete)
}

// bundleName becomes a part of a URL's path.
var bundleName = regexp.MustCompile(`^[0-9A-Za-z]{1,128}$`)

func (b *PreviousBundle) complete(v variables) []error {
	if b.SHA != "" && !bundleName.MatchString(b.SHA) {
		return []error{errors.New("PREVIOUS_BUNDLE_SHA is not the hash of a bundle: letters and digits")}
	}
	if b.SHA != "" && v["GRAPHQL_SERVER"] == "" {
		return []error{errors.New("PREVIOUS_BUNDLE_SHA is set, but not the GRAPHQL_SERVER that has the bundle")}
	}
	return nil
}
