package config

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// Setting is a variable, and what holds of it.
type Setting struct{ Name, Value string }

// What is said of secrets, and of what has no value.
const (
	isSet    = "set"
	isNotSet = "not set"
)

// maxShown is how many characters of a value are shown.
const maxShown = 300

// Effective lists all variables of a configuration that was read from environ, which has the shape of os.Environ, with the values that
// hold, defaults included; then those of libraries that are set. Of a secret it only says whether it is set.
func Effective(configuration any, environ []string) (settings []Setting) {
	v, _ := variables(env.ToMap(environ)).withOwnNames()
	c := reflect.Indirect(reflect.ValueOf(configuration))
	for _, s := range settingsOfType(c.Type()) {
		settings = append(settings, Setting{s.name, v.shown(s, c.FieldByName(s.field))})
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		_, ofTemporal := temporalForms[name]
		isOurs := slices.ContainsFunc(settings, func(s Setting) bool { return s.Name == name })
		if !isOurs && v[name] != "" && (ofTemporal || strings.HasPrefix(name, temporalHeaders) || isThirdParty(name)) {
			settings = append(settings, Setting{name, v.shownAsIs(name)})
		}
	}
	return settings
}

// shown is what holds of a setting.
func (v variables) shown(s setting, field reflect.Value) string {
	text := v[s.name]
	switch value := field.Interface().(type) {
	case Query: // its file says more
	case time.Duration, *url.URL, LogLevel:
		if !field.IsZero() || field.Kind() != reflect.Pointer {
			text = fmt.Sprint(value)
		}
	default:
		if field.Kind() == reflect.String || field.CanInt() || field.CanUint() || field.CanFloat() || field.Kind() == reflect.Bool {
			text = fmt.Sprint(value)
		}
	}
	switch {
	case text == "":
		return isNotSet
	case s.form.secret:
		return isSet
	}
	return foreign.Line(text, maxShown)
}

// secretName matches the names of libraries' variables that may have secrets.
var secretName = regexp.MustCompile(`SECRET|TOKEN|PASSWORD|HEADERS|API_KEY|KEY_DATA|AUTHORIZATION|ACCESS_KEY|^` + temporalHeaders)

// login matches the credentials in an address.
var login = regexp.MustCompile(`(^|//|[\s,])[^/@\s,]+@`)

// shownAsIs is what is said of a library's variable.
func (v variables) shownAsIs(name string) string {
	if secretName.MatchString(name) || temporalForms[name].secret {
		return isSet
	}
	return foreign.Line(login.ReplaceAllString(v[name], "${1}***@"), maxShown)
}
