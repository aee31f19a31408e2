package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// TraceExporter is how traces leave a worker.
type TraceExporter string

// Values of a TraceExporter; any other is an error.
const (
	NoTraces  TraceExporter = ""
	TraceHTTP TraceExporter = "http/protobuf"
	TraceGRPC TraceExporter = "grpc"
)

// The variables of OpenTelemetry with which traces are switched on and off.
const (
	otelDisabled       = "OTEL_SDK_DISABLED"
	otelExporter       = "OTEL_TRACES_EXPORTER"
	otelEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otelTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	otelProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	otelTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// otelHeaders are the variables whose values are sent to the receiver of traces with each request: most often a token.
var otelHeaders = []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"}

// LoadTracing reads from OpenTelemetry's own variables whether there are traces, and how they leave the worker. What else those
// variables say, OpenTelemetry's libraries read by themselves.
func LoadTracing(environ []string) (TraceExporter, error) {
	exporter, err := variables(env.ToMap(environ)).tracing()
	return exporter, joinProblems([]error{err})
}

func (v variables) tracing() (TraceExporter, error) {
	said := v[otelExporter]
	switch {
	case strings.EqualFold(v[otelDisabled], "true"), said == "none", said == "" && v[otelEndpoint] == "" && v[otelTracesEndpoint] == "":
		return NoTraces, nil
	case said != "" && said != "otlp":
		return NoTraces, fmt.Errorf("%s is %q, not otlp or none", otelExporter, said)
	}
	for _, name := range []string{otelTracesEndpoint, otelEndpoint} {
		if u, err := url.Parse(v[name]); v[name] != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return NoTraces, fmt.Errorf("%s: not an http or https URL", name)
		}
	}
	for _, name := range []string{otelTracesProtocol, otelProtocol} {
		switch protocol := TraceExporter(v[name]); protocol {
		case "":
		case TraceHTTP, TraceGRPC:
			return protocol, nil
		default:
			return NoTraces, fmt.Errorf("%s is %q, not %s or %s", name, protocol, TraceHTTP, TraceGRPC)
		}
	}
	return TraceHTTP, nil
}

// tracingSecrets are the values of headers for the receiver of traces (W3C Baggage: name=value, with commas in between).
func (v variables) tracingSecrets() (secrets []string) {
	for _, name := range otelHeaders {
		for header := range strings.SplitSeq(v[name], ",") {
			_, value, _ := strings.Cut(header, "=")
			secrets = append(secrets, strings.TrimSpace(value))
			if plain, err := url.PathUnescape(value); err == nil {
				secrets = append(secrets, strings.TrimSpace(plain))
			}
		}
	}
	slices.Sort(secrets)
	return slices.DeleteFunc(slices.Compact(secrets), func(s string) bool { return s == "" })
}

// loginSecrets are the passwords in the addresses of proxies, and of others that libraries are told by themselves.
func (v variables) loginSecrets() (secrets []string) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if !isThirdParty(name) {
			continue
		}
		address := v[name]
		if !strings.Contains(address, "://") {
			address = "http://" + address
		}
		if u, err := url.Parse(address); err == nil {
			if password, ok := u.User.Password(); ok && password != "" {
				secrets = append(secrets, password, u.User.Username()+":"+password)
			}
		}
	}
	return secrets
}
