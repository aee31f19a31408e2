package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Environ is an environment in the shape of os.Environ.
type Environ []string

// Environ returns all variables.
func (e Environ) Environ() []string { return e }

// LookupEnv returns a variable's value, and whether it is set.
func (e Environ) LookupEnv(name string) (string, bool) {
	value, ok := env.ToMap(e)[name]
	return value, ok
}

// temporalTLS are the variables beginning with TEMPORAL_TLS that Temporal's SDK knows.
var temporalTLS = []string{
	"TEMPORAL_TLS", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", "TEMPORAL_TLS_SERVER_NAME",
	"TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_CERT_DATA", "TEMPORAL_TLS_CLIENT_KEY_PATH", "TEMPORAL_TLS_CLIENT_KEY_DATA",
	"TEMPORAL_TLS_SERVER_CA_CERT_PATH", "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
}

// Temporal returns the environment that Temporal's SDK is to read: the API key may be in a file. It refuses
// what the SDK would pass over without a word, and connect without TLS.
func Temporal(environ []string) (Environ, error) {
	clean, problems := variables(env.ToMap(environ)).temporal(environ)
	return clean, join(problems)
}

func (v variables) temporal(environ []string) (clean Environ, problems []error) {
	for _, name := range temporalTLS[:2] {
		if value := v[name]; value != "" && !slices.Contains([]string{"true", "false", "1", "0"}, strings.ToLower(value)) {
			problems = append(problems, fmt.Errorf("%s is %q, not true or false", name, value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if strings.HasPrefix(name, "TEMPORAL_TLS") && !slices.Contains(temporalTLS, name) {
			problems = append(problems, fmt.Errorf("%s is not a variable of Temporal's SDK: it knows %s", name, strings.Join(temporalTLS, ", ")))
		}
	}
	var key string
	problems = append(problems, v.credential("TEMPORAL_API_KEY", &key))
	if key != "" {
		environ = append(slices.Clone(environ), "TEMPORAL_API_KEY="+key) // of two of one name the last counts
	}
	return environ, problems
}
