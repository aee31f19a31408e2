package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// thirdPartyNames are variables that libraries read by themselves. So are those that begin with AWS_ and OTEL_.
var thirdPartyNames = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

func isThirdParty(name string) bool {
	return strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "OTEL_") || slices.Contains(thirdPartyNames, name)
}

// thirdPartyProblems refuses white space around values that the AWS SDK, OpenTelemetry and Go's libraries read by themselves, and
// control characters in them: they would take them for a part of the value. The settings are not among them.
func thirdPartyProblems(v variables, settings []setting) (problems []error) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		isOurs := slices.ContainsFunc(settings, func(s setting) bool { return s.name == name })
		switch {
		case isOurs || !isThirdParty(name):
		case v[name] != strings.TrimSpace(v[name]):
			problems = append(problems, fmt.Errorf("%s has white space around it, such as the end of a line", name))
		case strings.ContainsFunc(v[name], unicode.IsControl):
			problems = append(problems, fmt.Errorf("%s has a control character in it, such as the end of a line", name))
		}
	}
	return problems
}
