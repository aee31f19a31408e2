package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"

	"filippo.io/age"
	"github.com/caarlos0/env/v11"
	"github.com/dustin/go-humanize"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/webhook"
)

// parsers turn texts into the types of fields. A type that fields point to is listed without its pointer.
var parsers = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[[]age.Recipient]():     parserFunc(parseList(crypt.ParseRecipients)),
	reflect.TypeFor[[]age.Identity]():      parserFunc(parseList(crypt.ParseIdentities)),
	reflect.TypeFor[sign.Signer]():         parserFunc(parseList(sign.ParseSigner)),
	reflect.TypeFor[sign.Verifier]():       parserFunc(parseList(sign.ParseVerifier)),
	reflect.TypeFor[project.Allowlist]():   parserFunc(parseList(parseAllowlist)),
	reflect.TypeFor[webhook.Secrets]():     parserFunc(parseList(webhook.ParseSecrets)),
	reflect.TypeFor[archive.Environment](): parserFunc(archive.ParseEnvironment),
	reflect.TypeFor[url.URL]():             parserFunc(dereferenced(parseURL)),
	reflect.TypeFor[NotifyURL]():           parserFunc(parseNotifyURL),
	reflect.TypeFor[http.Client]():         parserFunc(dereferenced(clientTrusting)),
	reflect.TypeFor[Query]():               parserFunc(readQuery),
}

func parserFunc[T any](parse func(string) (T, error)) env.ParserFunc {
	return func(text string) (any, error) { return parse(text) }
}

// dereferenced adapts a parser to package env, which makes the pointer itself.
func dereferenced[T any](parse func(string) (*T, error)) func(string) (T, error) {
	return func(text string) (T, error) {
		parsed, err := parse(text)
		if err != nil {
			return *new(T), err
		}
		return *parsed, nil
	}
}

func parseList[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (T, error) { return parse(unquote(text)) }
}

// parseAllowlist refuses keys, some of which look like group/name.
func parseAllowlist(text string) (project.Allowlist, error) {
	if _, ok := recogniseMinisign(text); ok {
		return project.Allowlist{}, errors.New("not a list of projects")
	}
	return project.ParseAllowlist(text)
}

// parseURL never quotes the URL, which may contain a password by mistake.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return nil, errors.New("not an http or https URL")
	case u.User != nil:
		return nil, errors.New("there are credentials in the URL: they have variables of their own")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("there is a query or fragment in the URL")
	}
	return u, nil
}

// NotifyURL is a URL that may have credentials and a query.
type NotifyURL url.URL

func parseNotifyURL(text string) (NotifyURL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return NotifyURL{}, errors.New("not an http or https URL")
	case u.Fragment != "":
		return NotifyURL{}, errors.New("there is a fragment in the URL")
	}
	return NotifyURL(*u), nil
}

// clientTrusting returns a client that trusts the certificates in a file besides the system's. There is no setting to
// trust everybody.
func clientTrusting(file string) (*http.Client, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("system certificates: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no PEM certificate in the file")
	}
	return httpclient.New(roots), nil
}

// Query is the text of a GraphQL query.
type Query string

// defaultQueryFile is read when GRAPHQL_QUERY_FILE is not set and this file exists. A test has another.
var defaultQueryFile = "/query.graphql"

func readQuery(file string) (Query, error) {
	text, err := os.ReadFile(file)
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = fmt.Errorf("there is nothing in %s", file) // else the built-in query would be used
	}
	return Query(text), err
}

// PushPolicy says what may happen to commits that only the destination has.
type PushPolicy string

// Values of PUSH_POLICY. Any other value of the type behaves like FastForward.
const (
	Overwrite   PushPolicy = "overwrite"
	FastForward PushPolicy = "fast-forward"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *PushPolicy) UnmarshalText(text []byte) error {
	switch policy := PushPolicy(text); policy {
	case Overwrite, FastForward:
		*p = policy
		return nil
	}
	return fmt.Errorf("%q is not %s or %s", text, Overwrite, FastForward)
}

// Bytes is a size, such as "500MB" or "2TiB".
type Bytes int64

// UnmarshalText implements encoding.TextUnmarshaler. It refuses 0, which would mean "no limit" and not "nothing".
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n == 0 || n > math.MaxInt64 {
		return fmt.Errorf("%q is not a size such as 500MB or 2TiB", text)
	}
	*b = Bytes(n)
	return nil
}

// BytesOrNone is a size, or "0".
type BytesOrNone int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *BytesOrNone) UnmarshalText(text []byte) error {
	if string(text) == "0" {
		*b = 0
		return nil
	}
	return (*Bytes)(b).UnmarshalText(text)
}
