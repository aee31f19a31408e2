package compose_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// projectName keeps the test's containers apart from those that a person has running.
const projectName = "git-partition-sync-test"

// stack is the compose file, running under a name, passwords and ports of its own.
type stack struct {
	*testing.T
	command  []string // docker compose
	ports    map[string]string
	password string
	environ  []string
}

func newStack(t *testing.T) *stack {
	t.Helper()
	command := strings.Fields(os.Getenv("COMPOSE"))
	if len(command) == 0 {
		t.Skip("COMPOSE is not set to the command for docker compose: run make compose-test")
	}
	s := &stack{T: t, command: command, ports: map[string]string{}, password: rand.Text()}
	s.environ = append(os.Environ(), "COMPOSE_PROJECT_NAME="+projectName, "COMPOSE_PROFILES=observability", "RECONCILE_SLEEP_TIME=3s", "FORGE_PASSWORD="+s.password)
	for _, name := range []string{"SOURCE_TOKEN", "DESTINATION_TOKEN", "GRAPHQL_PASSWORD", "S3_ROOT_SECRET", "S3_PRODUCER_SECRET", "S3_CONSUMER_SECRET"} {
		s.environ = append(s.environ, name+"="+rand.Text())
	}
	for _, name := range []string{"TEMPORAL_PORT", "TEMPORAL_UI_PORT", "S3_PORT", "SOURCE_FORGE_PORT", "DESTINATION_FORGE_PORT", "SOURCE_PROMETHEUS_PORT", "DESTINATION_PROMETHEUS_PORT", "PRODUCER_STATUS_PORT", "CONSUMER_STATUS_PORT"} {
		s.ports[name] = freePort(t)
		s.environ = append(s.environ, name+"="+s.ports[name])
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.try(append(s.command, "logs", "--no-color", "--tail", "40")...))
		}
		s.compose("down", "--volumes", "--remove-orphans")
	})
	return s
}

// in is the stack for a subtest.
func (s *stack) in(t *testing.T) *stack {
	sub := *s
	sub.T = t
	return &sub
}

func (s *stack) syncs() []project.Sync {
	s.Helper()
	text, err := os.ReadFile("syncs.yaml")
	require.NoError(s, err)
	var file struct{ Syncs []project.Sync }
	require.NoError(s, yaml.Load(text, &file))
	return file.Syncs
}

// compose runs a command of docker compose.
func (s *stack) compose(args ...string) {
	s.Helper()
	s.run(append(s.command, args...)...)
}

func (s *stack) run(args ...string) string {
	s.Helper()
	out, err := s.try(args...)
	require.NoError(s, err, "%s\n%s", strings.Join(args, " "), out)
	return out
}

func (s *stack) try(args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), s.environ
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func container(service string) string { return projectName + "-" + service + "-1" }

// dial tells whether a service's container can connect to the address.
func (s *stack) dial(from, address string) bool {
	s.Helper()
	out, err := s.try("docker", "run", "--rm", "--network", "container:"+container(from), "git-partition-sync-local", "dial", address)
	if err != nil {
		// Anything else, such as an engine that refuses, shows nothing.
		require.Contains(s, out, "local: dial tcp", "%s", out)
	}
	return err == nil
}

// address is a service's on one of its networks.
func (s *stack) address(service, network string) string {
	s.Helper()
	return s.inspect(service, fmt.Sprintf(`{{(index .NetworkSettings.Networks "%s_%s").IPAddress}}`, projectName, network))
}

// gateway is the host, as a worker sees it.
func (s *stack) gateway(service string) string {
	s.Helper()
	return s.inspect(service, "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}")
}

func (s *stack) inspect(service, format string) string {
	s.Helper()
	value := s.run("docker", "inspect", "--format", format, container(service))
	require.NotEmpty(s, value)
	return value
}

// left is what the engine still has of the project.
func (s *stack) left() string {
	s.Helper()
	label := "label=com.docker.compose.project=" + projectName
	var left bytes.Buffer
	for _, list := range [][]string{{"ps", "--all"}, {"volume", "ls"}, {"network", "ls"}} {
		left.WriteString(s.run(append(append([]string{"docker"}, list...), "--quiet", "--filter", label)...))
	}
	return left.String()
}

// freePort was free a moment ago, on the loopback interface.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
