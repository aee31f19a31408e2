package config

import (
	"strings"

	"github.com/caarlos0/env/v11"
)

// secretVariables hold what must never be seen outside of the worker's environment.
var secretVariables = map[string]bool{
	"GITLAB_TOKEN": true, "GRAPHQL_PASSWORD": true, "PRIVATE_KEY": true, "SIGNING_KEY": true,
	"AWS_SECRET_ACCESS_KEY": true, "AWS_SESSION_TOKEN": true, "TEMPORAL_API_KEY": true,
	"TEMPORAL_TLS_CLIENT_KEY_DATA": true,
}

// temporalHeaders is what the variables begin with whose values are sent with every request to Temporal.
const temporalHeaders = "TEMPORAL_GRPC_META_"

// users have their names sent together with their passwords, as one (RFC 7617).
var users = map[string]string{"GITLAB_USERNAME": "GITLAB_TOKEN", "GRAPHQL_USERNAME": "GRAPHQL_PASSWORD"}

// Secrets lists what is to be masked wherever it is repeated: the secrets in environ, which has the shape
// of os.Environ, and in the files that it names. What cannot be read is left to those who need it.
func Secrets(environ []string) (secrets []string) {
	values := map[string]string{}
	v := variables(env.ToMap(environ))
	for name, value := range v {
		if secretVariables[name] || users[name] != "" {
			value, _ = v.text(name)
			if _, isCredential := credentials[name]; !isCredential {
				value = unquote(value)
			}
		}
		values[name] = strings.TrimSpace(value)
		if strings.HasPrefix(name, temporalHeaders) {
			secrets = append(secrets, values[name])
		}
	}
	for name := range secretVariables {
		for line := range strings.Lines(values[name]) {
			if line = strings.TrimSpace(line); !isComment(line) {
				secrets = append(secrets, line)
			}
		}
	}
	for user, password := range users {
		if values[password] != "" {
			secrets = append(secrets, values[user]+":"+values[password])
		}
	}
	return secrets
}

// isComment tells the lines around keys that are the same for everybody: age's, minisign's, and PEM's.
func isComment(line string) bool {
	return line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "untrusted comment:") || strings.HasPrefix(line, "-----")
}
