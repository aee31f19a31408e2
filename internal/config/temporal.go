package config

import (
	"fmt"
	"maps"
	"os"
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

// temporalForms are the variables of Temporal's SDK, with their forms. Headers are not among them: their names begin
// with temporalHeaders.
var temporalForms = map[string]textForm{
	"TEMPORAL_ADDRESS": forms[""], "TEMPORAL_NAMESPACE": forms[""], "TEMPORAL_API_KEY": forms["secret token"],
	"TEMPORAL_CLIENT_AUTHORITY": forms[""], "TEMPORAL_PROFILE": forms["path"], "TEMPORAL_CONFIG_FILE": forms["path"],
	"TEMPORAL_TLS": forms[""], "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION": forms[""], "TEMPORAL_TLS_SERVER_NAME": forms[""],
	"TEMPORAL_TLS_CLIENT_CERT_PATH": forms["path"], "TEMPORAL_TLS_CLIENT_CERT_DATA": {list: true},
	"TEMPORAL_TLS_CLIENT_KEY_PATH": forms["path"], "TEMPORAL_TLS_CLIENT_KEY_DATA": {list: true, secret: true},
	"TEMPORAL_TLS_SERVER_CA_CERT_PATH": forms["path"], "TEMPORAL_TLS_SERVER_CA_CERT_DATA": {list: true},
}

// temporalHeaders is the prefix of the variables whose values are sent with every request to Temporal.
const temporalHeaders = "TEMPORAL_GRPC_META_"

// Temporal returns the environment for Temporal's SDK, in which the API key may come from a file. It refuses what the
// SDK would silently ignore, and then connect without TLS.
func Temporal(environ []string) (Environ, error) {
	clean, problems := variables(env.ToMap(environ)).temporal()
	return clean, joinProblems(problems)
}

func (v variables) temporal() (clean Environ, problems []error) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		form, known := temporalForms[name]
		switch {
		case strings.HasPrefix(name, temporalHeaders): // any text in one line
		case !known && strings.HasPrefix(name, "TEMPORAL_TLS"):
			problems = append(problems, fmt.Errorf("%s is not a variable of Temporal's SDK: it knows %s", name, strings.Join(temporalTLS(), ", ")))
			continue
		case !known:
			clean = append(clean, name+"="+v[name])
			continue
		}
		text, err := v.text(name, form)
		if err == nil && text != "" && slices.Contains(temporalFlags, name) && !slices.Contains([]string{"true", "false", "1", "0"}, strings.ToLower(text)) {
			err = fmt.Errorf("%s is %q, not true or false", name, text)
		}
		if err == nil {
			err = checkTemporal(name, text)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		clean = append(clean, name+"="+text)
	}
	return clean, problems
}

// checkTemporal refuses what Temporal's SDK takes without a word, and what then works for nobody.
func checkTemporal(name, text string) error {
	switch {
	case name == "TEMPORAL_NAMESPACE" && text == "temporal-system":
		return fmt.Errorf("%s is %q, which Temporal keeps to itself: name another one", name, text)
	case name == "TEMPORAL_CONFIG_FILE" && text != "":
		if _, err := os.Stat(text); err != nil { // the SDK goes on as if there were none
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// temporalFlags are on or off. The SDK takes any word that it does not know for off.
var temporalFlags = []string{"TEMPORAL_TLS", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"}

func temporalTLS() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(temporalForms)) {
		if strings.HasPrefix(name, "TEMPORAL_TLS") {
			names = append(names, name)
		}
	}
	return names
}
