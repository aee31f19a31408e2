package compose_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// testCreation has the consumer push to projects that do not exist on a forge that creates them: one of the consumer's
// user, and two in organizations, of which one does not exist and in the other the user may not create anything at first.
// Their branch is not the one that the forge gives new projects, and the consumer's own refs come before it.
func testCreation(s *stack) {
	s.compose("stop", "producer", "consumer")
	admin := s.destinationAdmin()
	admin.call(http.MethodPost, "/orgs", map[string]any{"username": "enclave-closed", "visibility": "private"})
	source := s.syncs()[0].Source
	own, closed, absent := created("mirror"), created("enclave-closed"), created("enclave-absent")

	producer := s.documented("producer")
	producer.options = append(producer.options, "--env", "GRAPHQL_SERVER=", "--env", "SYNCS_FILE=/syncs.yaml", "--volume", s.syncsFile(source, own, closed, absent)+":/syncs.yaml:ro",
		"--env", "SIGNING_KEY=@/keys/signing.key")
	out := s.run(producer.once(standaloneImage, "-dry-run=false", "-run-once=true")...)
	require.Contains(s, out, "synced "+own.String())

	consumer := s.documented("consumer")
	consumer.options = append(consumer.options, "--env", "VERIFY_KEYS=@/keys/signing.pub", "--env", "CREATE_PROJECTS=true",
		"--env", "ALLOWED_DESTINATIONS=enclave-platform/* enclave-shared/* enclave-design/* enclave-closed/* enclave-absent/* mirror/*")
	once := consumer.once(standaloneImage, "-dry-run=false", "-run-once=true")
	withAPI := consumer
	withAPI.options = append(slices.Clone(consumer.options), "--env", "GITLAB_API=true")
	out, err := s.try(withAPI.once(standaloneImage, "-dry-run=true", "-run-once=true")...)
	require.Error(s, err)
	require.Equal(s, 3, strings.Count(out, "(NotGitLab)"), "that there is no such API does not mean that there are no groups:\n%s", out)
	out, err = s.try(once...)
	require.Error(s, err)
	admin.requireCreated(own, s.head("SOURCE_FORGE_PORT", source))
	for _, b := range []project.Branch{closed, absent} {
		require.Contains(s, out, fmt.Sprintf("the server did not create it in the group %q", b.Group))
	}
	require.Contains(s, out, "(ProjectNotCreated")

	admin.call(http.MethodPost, "/orgs", map[string]any{"username": absent.Group, "visibility": "private"})
	for _, b := range []project.Branch{closed, absent} {
		team := admin.call(http.MethodPost, "/orgs/"+b.Group+"/teams", map[string]any{
			"name": "mirror", "permission": "write", "units": []string{"repo.code"}, "can_create_org_repo": true,
		})
		admin.call(http.MethodPut, fmt.Sprintf("/teams/%v/members/mirror", team["id"]), nil)
	}
	s.run(once...)
	for _, b := range []project.Branch{closed, absent} {
		admin.requireCreated(b, s.head("SOURCE_FORGE_PORT", source))
	}
}

func created(group string) project.Branch {
	return project.Branch{Group: group, Name: "created", Branch: "stable"}
}

// syncsFile lists what the stack syncs, and the source to each of the destinations.
func (s *stack) syncsFile(source project.Branch, destinations ...project.Branch) string {
	s.Helper()
	text, err := os.ReadFile("syncs.yaml")
	require.NoError(s, err)
	for _, d := range destinations {
		text = fmt.Appendf(text, "\n  - source: {group: %s, name: %s, branch: %s}\n    destination: {group: %s, name: %s, branch: %s}\n",
			source.Group, source.Name, source.Branch, d.Group, d.Name, d.Branch)
	}
	name := filepath.Join(s.TempDir(), "syncs.yaml")
	require.NoError(s, os.WriteFile(name, text, 0o644)) // for the container's user
	return name
}

// forgeAdmin is the administrator of the destination's forge.
type forgeAdmin struct {
	*stack
	token string
}

func (s *stack) destinationAdmin() forgeAdmin {
	s.Helper()
	return forgeAdmin{s, s.run("docker", "exec", container("destination-forge"), "cat", "/var/lib/gitea/admin-token")}
}

// call calls the forge's API, which has to agree, and returns its answer.
func (a forgeAdmin) call(method, path string, object any) (answer map[string]any) {
	a.Helper()
	body, err := json.Marshal(object)
	require.NoError(a, err)
	req, err := http.NewRequest(method, "http://127.0.0.1:"+a.ports["DESTINATION_FORGE_PORT"]+"/api/v1"+path, bytes.NewReader(body))
	require.NoError(a, err)
	req.Header.Set("Authorization", "token "+a.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(a, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(a, err)
	require.Equal(a, 2, resp.StatusCode/100, "%s %s: %s", method, path, text)
	if len(text) > 0 {
		require.NoError(a, json.Unmarshal(text, &answer))
	}
	return answer
}

// requireCreated makes sure that the project is private, and that the branch is its default one and at the commit.
func (a forgeAdmin) requireCreated(b project.Branch, commit string) {
	a.Helper()
	require.NotEmpty(a, commit)
	var repo map[string]any
	require.Eventually(a, func() bool { // after the answer to the push; until then, Gitea panics when it is asked for branches
		repo = a.call(http.MethodGet, "/repos/"+b.Path(), nil)
		return repo["default_branch"] == b.Branch && repo["empty"] == false
	}, time.Minute, pollInterval, "%s", b)
	branch := a.call(http.MethodGet, "/repos/"+b.Path()+"/branches/"+b.Branch, nil)
	require.Equal(a, commit, branch["commit"].(map[string]any)["id"], "%s", b)
	require.Equal(a, true, repo["private"], "%s", b)
}
