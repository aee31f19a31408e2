package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealthAddress(t *testing.T) {
	key := identity(t).String()
	for address, valid := range map[string]bool{
		"": true, ":8080": true, "127.0.0.1:8080": true, "[::1]:8080": true, "8080": false, "localhost": false, "localhost:": false, "::1:8080": false,
	} {
		c, err := LoadConsumer(environ(map[string]string{"PRIVATE_KEY": key, "HEALTH_ADDRESS": address}))
		if !valid {
			require.ErrorContains(t, err, "HEALTH_ADDRESS: ", address)
			continue
		}
		require.NoError(t, err, address)
		require.Equal(t, Address(address), c.HealthAddress)
	}
}

func TestProbes(t *testing.T) {
	for _, tt := range []struct {
		address, port, err string
		want               []Endpoint
	}{
		{address: "127.0.0.1:8080", want: []Endpoint{{"HEALTH_ADDRESS", "127.0.0.1:8080"}}},
		{port: "9090\n", want: []Endpoint{{"METRICS_SERVER_PORT", ":9090"}}},
		{address: ":8080", port: "9090", want: []Endpoint{{"HEALTH_ADDRESS", ":8080"}, {"METRICS_SERVER_PORT", ":9090"}}},
		{address: ":9090", port: "9090", want: []Endpoint{{"HEALTH_ADDRESS", ":9090"}}},
		{err: "HEALTH_ADDRESS is not set"},
		{port: "0", err: `METRICS_SERVER_PORT: "0" is not a port from 1 to 65535`},
		{port: "65536", err: `METRICS_SERVER_PORT: "65536" is not a port from 1 to 65535`},
		{port: ":9090", err: `METRICS_SERVER_PORT: ":9090" is not a port from 1 to 65535`},
	} {
		probes, err := LoadProbes(environ(map[string]string{"HEALTH_ADDRESS": tt.address, "METRICS_SERVER_PORT": tt.port}))
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tt.want, probes.Endpoints())
	}
}
