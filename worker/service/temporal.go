package service

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/app-sre/git-partition-sync/internal/config"
)

// temporalOptions reads how Temporal is reached, and warns if others could listen on the way.
func temporalOptions(environ config.Environ, logger *slog.Logger) (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: environ})
	if err != nil {
		return options, fmt.Errorf("temporal configuration: %w", err)
	}
	options.Logger = log.NewStructuredLogger(slog.New(sdkHandler{logger.Handler()}))
	if warning := plaintextTemporalWarning(options); warning != "" {
		logger.Warn(warning, "address", options.HostPort)
	}
	return options, nil
}

// plaintextTemporalWarning says what someone between the worker and Temporal could do. It is empty where that is not
// possible.
func plaintextTemporalWarning(options client.Options) string {
	tls := options.ConnectionOptions.TLS
	switch {
	case isLoopback(cmp.Or(options.HostPort, client.DefaultHostPort)):
		return ""
	case tls == nil || options.ConnectionOptions.TLSDisabled:
		warning := "Temporal is reached without TLS: whoever is in between can read names, commits and errors, and start, alter and end runs"
		if options.Credentials != nil {
			warning += ", and has the API key"
		}
		return warning + ": set TEMPORAL_TLS=true"
	case tls.InsecureSkipVerify:
		return "Temporal's certificate is not verified: whoever is in between can pass for Temporal: unset TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"
	}
	return ""
}

// plaintextStoreWarning says what someone between the worker and the S3 server at this URL could do. The URL is empty
// for AWS.
func plaintextStoreWarning(endpoint string) string {
	address, plain := strings.CutPrefix(strings.ToLower(endpoint), "http://")
	if address, _, _ = strings.Cut(address, "/"); !plain || isLoopback(address) {
		return ""
	}
	return "the bucket is reached over plain HTTP: whoever is in between can read the names in keys and the session token, store the encrypted objects, " +
		"withhold and delete objects, and put others in their place, which only signatures tell apart: use https in AWS_ENDPOINT_URL_S3"
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	return config.IsLoopback(host)
}
