// Package compose_test runs docker-compose.yml on a real engine: make compose-test.
package compose_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// servers are what runs all the time. The others end when they have done their part.
var servers = []string{"temporal", "s3", "source-forge", "destination-forge", "graphql", "producer", "consumer"}

// TestCompose is one test, as it needs one long start: the file comes up and syncs, heals after the
// loss of any container, keeps the sides apart, and leaves nothing.
func TestCompose(t *testing.T) {
	s := newStack(t)
	s.compose("up", "--detach", "--no-build")
	syncs := s.syncs()
	for _, sync := range syncs {
		s.awaitInSync(sync)
	}
	s.compose("up", "--detach", "--no-build", "--no-deps", "--wait", "producer", "consumer")
	work := s.clone("SOURCE_FORGE_PORT", syncs[0].Source)
	s.push(work, "after the first sync")
	s.awaitInSync(syncs[0])

	t.Run("image", func(t *testing.T) { testImage(s.in(t)) })
	t.Run("observability", func(t *testing.T) { testObservability(s.in(t)) })
	t.Run("partition", func(t *testing.T) { testPartition(t, s) })
	t.Run("large files", func(t *testing.T) { testLFS(s.in(t)) })
	t.Run("push events", func(t *testing.T) { testPushEvents(s.in(t), work) })
	for _, service := range servers {
		t.Run("without "+service, func(t *testing.T) { testHeals(t, s, service, work) })
	}
	t.Run("creation", func(t *testing.T) { testCreation(s.in(t)) })
	t.Run("standalone", func(t *testing.T) { testStandalone(s.in(t), work) })

	s.compose("down", "--volumes")
	require.Empty(t, s.left())
}

// testHeals kills a container, changes the source as soon as it can be changed, and starts the
// container again as a person would.
func testHeals(t *testing.T, s *stack, service string, work workTree) {
	s = s.in(t)
	s.compose("kill", "--signal", "KILL", service)
	require.Equal(t, "exited", s.inspect(service, "{{.State.Status}}"))
	if service != "source-forge" {
		s.push(work, "while "+service+" is gone")
	}
	s.compose("up", "--detach", "--no-build")
	if service == "source-forge" {
		s.push(work, "after "+service+" was gone")
	}
	s.awaitInSync(s.syncs()[0])
}

// testPartition dials from the workers' own network namespaces, by name and by address: a name
// that does not resolve would prove little.
func testPartition(t *testing.T, s *stack) {
	tests := []struct {
		from, network, to string
		port              int
		reached           bool
	}{
		{"producer", "source", "source-forge", 3000, true},
		{"producer", "source", "graphql", 8080, true},
		{"producer", "source", "s3", 7070, true},
		{"producer", "source", "temporal", 7233, true},
		{"producer", "destination", "destination-forge", 3000, false},
		{"consumer", "destination", "destination-forge", 3000, true},
		{"consumer", "destination", "s3", 7070, true},
		{"consumer", "destination", "temporal", 7233, true},
		{"consumer", "source", "source-forge", 3000, false},
		{"consumer", "source", "graphql", 8080, false},
		{"source-prometheus", "source", "producer", 8080, true},
		{"source-prometheus", "destination", "consumer", 8080, false},
		{"destination-prometheus", "destination", "consumer", 8080, true},
		{"destination-prometheus", "source", "producer", 8080, false},
	}
	for _, tt := range tests {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			s := s.in(t)
			require.Equal(t, tt.reached, s.dial(tt.from, fmt.Sprintf("%s:%d", tt.to, tt.port)), "by name")
			address := fmt.Sprintf("%s:%d", s.address(tt.to, tt.network), tt.port)
			require.Equal(t, tt.reached, s.dial(tt.from, address), "by address, %s", address)
		})
	}
	// The forges' ports on the host are no way around either.
	for from, port := range map[string]string{"producer": s.ports["DESTINATION_FORGE_PORT"], "consumer": s.ports["SOURCE_FORGE_PORT"]} {
		require.False(t, s.dial(from, s.gateway(from)+":"+port), "%s through the host", from)
	}
}
