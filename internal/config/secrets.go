package config

import (
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/app-sre/git-partition-sync/internal/list"
	"github.com/app-sre/git-partition-sync/internal/notify"
)

// passwordOfUser maps the variables of names to those of the passwords that are sent together with them, as one text
// (RFC 7617).
var passwordOfUser = map[string]string{"GITLAB_USERNAME": "GITLAB_TOKEN", "GRAPHQL_USERNAME": "GRAPHQL_PASSWORD"}

// Secrets lists what has to be masked wherever it appears: the secrets in environ, which has the shape of os.Environ,
// and in the files that it names. It skips what cannot be read: whoever needs it reports that.
func Secrets(environ []string) (secrets []string) {
	v := variables(env.ToMap(environ))
	texts := map[string]string{}
	for name, form := range allForms() {
		texts[name], _ = v.text(name, form)
		if form.list {
			texts[name] = unquote(texts[name])
		}
		if !form.secret {
			continue
		}
		for line := range strings.Lines(texts[name]) {
			switch line = strings.TrimSpace(line); {
			case isComment(line):
			case form.url:
				if u, err := url.Parse(line); err == nil {
					secrets = append(secrets, notify.Secrets(*u)...)
					continue
				}
				secrets = append(secrets, line)
			case form.list:
				for _, word := range list.Words(line) {
					secrets = append(secrets, word)
				}
			default:
				secrets = append(secrets, line)
			}
		}
	}
	for name, value := range v {
		if strings.HasPrefix(name, temporalHeaders) {
			secrets = append(secrets, strings.TrimSpace(value))
		}
	}
	secrets = slices.Concat(secrets, v.tracingSecrets(), v.loginSecrets())
	for user, password := range passwordOfUser {
		if texts[password] != "" {
			secrets = append(secrets, texts[user]+":"+texts[password])
		}
	}
	return secrets
}

// allForms maps the variables of both roles, and Temporal's, to their forms.
func allForms() map[string]textForm {
	all := maps.Clone(temporalForms)
	for _, s := range slices.Concat(settingsOfType(reflect.TypeFor[Producer]()), settingsOfType(reflect.TypeFor[Consumer]())) {
		all[s.name] = s.form
	}
	return all
}

// isComment tells the lines around keys that are the same for everybody: age's, minisign's, and PEM's.
func isComment(line string) bool {
	return line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "untrusted comment:") || strings.HasPrefix(line, "-----")
}
