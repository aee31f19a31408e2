package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

func (s *Side) check(v variables, environ []string) (problems []error) {
	s.Temporal, problems = v.temporal(environ)
	problems = append(problems,
		v.credential("GITLAB_USERNAME", &s.GitLabUsername),
		v.credential("GITLAB_TOKEN", &s.GitLabToken),
		v.credential("AWS_ACCESS_KEY_ID", &s.AccessKeyID),
		v.credential("AWS_SECRET_ACCESS_KEY", &s.SecretAccessKey),
		v.credential("AWS_SESSION_TOKEN", &s.SessionToken),
		v.protects("ENVIRONMENT"),
		v.protects("REQUIRE_SIGNATURES"))
	if s.SessionToken != "" && s.AccessKeyID == "" {
		problems = append(problems, errors.New("AWS_SESSION_TOKEN is set, but not the AWS_ACCESS_KEY_ID that it belongs to"))
	}
	if (s.AccessKeyID == "") != (s.SecretAccessKey == "") {
		problems = append(problems, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: only one is set"))
	}
	if err := s.checkURL(s.GitLabURL, true); err != nil {
		problems = append(problems, fmt.Errorf("GITLAB_BASE_URL %w", err))
	} else {
		s.BaseURL, _ = url.Parse(s.GitLabURL)
	}
	var err error
	if s.HTTP, err = client(s.CAPath); err != nil {
		problems = append(problems, fmt.Errorf("INTERNAL_GIT_CA_PATH: %w", err))
	}
	if s.EnvironmentName == "" {
		s.Environment = archive.AnyEnvironment()
	} else if s.Environment, err = archive.ParseEnvironment(s.EnvironmentName); err != nil {
		problems = append(problems, fmt.Errorf("ENVIRONMENT: %w", err))
	}
	if s.MaxConcurrent < 1 {
		problems = append(problems, fmt.Errorf("MAX_CONCURRENT is %d, less than 1", s.MaxConcurrent))
	}
	if s.DrainTimeout < 0 {
		problems = append(problems, fmt.Errorf("DRAIN_TIMEOUT is %s, less than 0", s.DrainTimeout))
	}
	if s.HealthAddress != "" {
		if _, port, err := net.SplitHostPort(s.HealthAddress); err != nil || port == "" {
			problems = append(problems, fmt.Errorf("HEALTH_ADDRESS is %q, not host:port or :port", s.HealthAddress))
		}
	}
	if s.WorkDir == "" {
		s.WorkDir = filepath.Join(os.TempDir(), "git-partition-sync")
	}
	return problems
}

// checkURL never quotes the URL: it may have been given a password.
func (s *Side) checkURL(raw string, credentials bool) error {
	if raw == "" {
		return nil // reported as missing
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return errors.New("is not an http or https URL")
	case u.User != nil:
		return errors.New("has credentials in it: they have variables of their own")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("has a query or fragment")
	case u.Scheme == "http" && credentials && !s.AllowPlainHTTP && !IsLoopback(u.Hostname()):
		return fmt.Errorf("would send credentials over plain HTTP to %s: use https, or set ALLOW_PLAIN_HTTP=true", u.Hostname())
	}
	return nil
}

// IsLoopback tells whether a host, without a port, is this machine.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// client trusts the certificates in caPath besides the system's. There is no way to trust everybody.
func client(caPath string) (*http.Client, error) {
	if caPath == "" {
		return httpclient.New(nil), nil
	}
	pem, err := os.ReadFile(caPath)
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

func readQuery(file string) (string, error) {
	explicit := file != ""
	if !explicit {
		file = defaultQueryFile
	}
	query, err := os.ReadFile(file)
	if !explicit && errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err == nil && strings.TrimSpace(string(query)) == "" {
		err = fmt.Errorf("there is nothing in %s", file) // or the built-in query would be asked in its place
	}
	return string(query), err
}
