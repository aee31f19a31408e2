package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTracing(t *testing.T) {
	for name, tt := range map[string]struct {
		environ []string
		want    TraceExporter
		err     string
	}{
		"nothing said":             {nil, NoTraces, ""},
		"only the protocol":        {[]string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, NoTraces, ""},
		"an endpoint":              {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318"}, TraceHTTP, ""},
		"an endpoint of traces":    {[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://collector/v1/traces"}, TraceHTTP, ""},
		"the exporter alone":       {[]string{"OTEL_TRACES_EXPORTER=otlp"}, TraceHTTP, ""},
		"gRPC":                     {[]string{"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, TraceGRPC, ""},
		"that of traces counts":    {[]string{"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"}, TraceHTTP, ""},
		"off, with an endpoint":    {[]string{"OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318"}, NoTraces, ""},
		"all off":                  {[]string{"OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=otlp"}, NoTraces, ""},
		"not all off":              {[]string{"OTEL_SDK_DISABLED=false", "OTEL_TRACES_EXPORTER=otlp"}, TraceHTTP, ""},
		"an exporter of others":    {[]string{"OTEL_TRACES_EXPORTER=zipkin"}, NoTraces, `OTEL_TRACES_EXPORTER is "zipkin", not otlp or none`},
		"a protocol that is not":   {[]string{"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=http/json"}, NoTraces, `OTEL_EXPORTER_OTLP_PROTOCOL is "http/json", not http/protobuf or grpc`},
		"an endpoint that is none": {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317"}, NoTraces, "OTEL_EXPORTER_OTLP_ENDPOINT: not an http or https URL"},
	} {
		got, err := LoadTracing(tt.environ)
		require.Equal(t, tt.want, got, name)
		c, loadErr := LoadConsumer(append(environ(map[string]string{"PRIVATE_KEY": identity(t).String()}), tt.environ...))
		require.Equal(t, tt.want, c.Traces, name)
		if tt.err == "" {
			require.NoError(t, err, name)
			require.NoError(t, loadErr, name)
			continue
		}
		require.ErrorContains(t, err, tt.err, name)
		require.ErrorContains(t, loadErr, tt.err, name)
	}
}

// What is sent to the receiver of traces is as secret as what is sent to others.
func TestSecretsOfLibraries(t *testing.T) {
	require.ElementsMatch(t, []string{"Bearer%20tok en", "Bearer tok en", "k2", "hunter2", "bot:hunter2", "pw", "u:pw"}, Secrets([]string{
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20tok en, x-key = k2", "OTEL_EXPORTER_OTLP_TRACES_HEADERS=",
		"HTTPS_PROXY=bot:hunter2@proxy:3128", "OTEL_EXPORTER_OTLP_ENDPOINT=http://u:pw@collector:4318", "NO_PROXY=localhost,.example.com",
	}))
}
