package compose_test

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

const (
	leanImage       = "git-partition-sync"
	standaloneImage = "git-partition-sync:standalone"
)

// testStandalone runs the images as the predecessor's was run, with its variables and flags and nothing besides: as a dry run,
// once, and as a service that is killed, starts again and goes on. The stack's own workers are stopped before: the standalone
// producer does not sign, which their configuration asks for.
func testStandalone(s *stack, work workTree) {
	sync := s.syncs()[0]
	s.compose("stop", "producer", "consumer")
	producer, consumer := s.documented("producer"), s.documented("consumer")

	s.push(work, "to be synced once")
	out := s.run(producer.once(leanImage, "-dry-run=true", "-run-once=true")...)
	require.Contains(s, out, "would upload "+sync.Destination.String())
	out, err := s.try(producer.once(leanImage, "-dry-run=false", "-run-once=true")...)
	require.Error(s, err)
	require.Contains(s, out, "TEMPORAL_ADDRESS is not set, and there is no Temporal to run")

	out = s.run(producer.once(standaloneImage, "-dry-run=false", "-run-once=true")...)
	require.Contains(s, out, "synced "+sync.Destination.String())
	out = s.run(consumer.once(standaloneImage, "-dry-run=false", "-run-once=true")...)
	require.Contains(s, out, "synced "+sync.Destination.String())
	require.Equal(s, s.head("SOURCE_FORGE_PORT", sync.Source), s.head("DESTINATION_FORGE_PORT", sync.Destination))

	for _, side := range []documented{producer, consumer} {
		s.run(append(append([]string{"docker", "run", "--detach", "--name", side.container()}, side.options...), standaloneImage, "-dry-run=false", "-run-once=false")...)
		s.Cleanup(func() { s.run("docker", "rm", "--force", "--volumes", side.container()) })
	}
	s.push(work, "to the services")
	s.awaitInSync(sync)
	s.run("docker", "kill", producer.container(), consumer.container())
	s.push(work, "while both are gone")
	s.run("docker", "start", producer.container(), consumer.container())
	s.awaitInSync(sync)
	s.run("docker", "stop", "--time", "60", producer.container(), consumer.container())
	for _, side := range []documented{producer, consumer} {
		require.Equal(s, "0", s.run("docker", "inspect", "--format", "{{.State.ExitCode}}", side.container()), "it ends when it is told to")
	}
}

// documented is a side that is told what the predecessor's documentation has, and where the stack's servers are.
type documented struct {
	role    string
	options []string // of docker run
}

// documented takes the values from the stack's own service of that side.
func (s *stack) documented(role string) documented {
	s.Helper()
	names := []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_S3_BUCKET", "GITLAB_BASE_URL", "GITLAB_USERNAME", "GITLAB_TOKEN",
		"GRAPHQL_SERVER", "GRAPHQL_USERNAME", "GRAPHQL_PASSWORD", "PUBLIC_KEY", "PRIVATE_KEY",
		// Not the predecessor's: the stack's servers are not AWS, and have no TLS.
		"AWS_ENDPOINT_URL_S3", "AWS_S3_USE_PATH_STYLE", "ALLOW_PLAIN_HTTP",
	}
	network := map[string]string{"producer": "source", "consumer": "destination"}[role]
	d := documented{role: role, options: []string{
		"--network", projectName + "_" + network, "--read-only", "--cap-drop", "ALL",
		"--volume", "/work", "--volume", projectName + "_" + role + "-keys:/keys:ro", "--env", "RECONCILE_SLEEP_TIME=2s",
	}}
	for line := range strings.Lines(s.inspect(role, "{{range .Config.Env}}{{println .}}{{end}}")) {
		line = strings.TrimSpace(line)
		if name, _, _ := strings.Cut(line, "="); slices.Contains(names, name) {
			d.options = append(d.options, "--env", line)
		}
	}
	return d
}

// once is the command that runs an image until it ends.
func (d documented) once(image string, flags ...string) []string {
	return slices.Concat([]string{"docker", "run", "--rm"}, d.options, []string{image}, flags)
}

func (d documented) container() string { return projectName + "-standalone-" + d.role }
