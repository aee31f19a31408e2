package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// secretVariables hold what must not be seen anywhere but in a worker's environment.
var secretVariables = []string{"GITLAB_TOKEN", "AWS_SECRET_ACCESS_KEY", "PRIVATE_KEY", "SIGNING_KEY", "GRAPHQL_PASSWORD"}

// canaries look for secrets where none may be.
type canaries struct {
	sides
	forms map[string][]byte // what to look for, by what it is
	// places counts the bytes that have been searched, by where.
	places map[string]int
}

func newCanaries(t sides) *canaries {
	return &canaries{sides: t, forms: map[string][]byte{}, places: map[string]int{}}
}

// learn takes the secrets from a worker's environment.
func (c *canaries) learn(environ []string) {
	c.Helper()
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !slices.Contains(secretVariables, name) {
			continue
		}
		lines := strings.Split(strings.TrimSpace(value), "\n") // a minisign key begins with a comment
		secret := lines[len(lines)-1]
		require.Greater(c, len(secret), 20, "%s is too short to be looked for", name)
		for form, text := range spellings(secret) {
			c.forms[fmt.Sprintf("%s as %s (%d)", name, form, len(c.forms))] = text
		}
	}
}

// spellings are the forms in which a secret may be found: in base64 whatever stands before it,
// such as the user's name in a header of basic authentication.
func spellings(secret string) map[string][]byte {
	out := map[string][]byte{"text": []byte(secret), "hex": []byte(hex.EncodeToString([]byte(secret)))}
	for lead := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", lead) + secret))
		first, last := (lead*8+5)/6, (lead+len(secret))*8/6 // characters that the secret alone decides
		out[fmt.Sprintf("base64 after 3n+%d bytes", lead)] = []byte(encoded[first:last])
	}
	return out
}

// search looks through something that is at a place.
func (c *canaries) search(place, what string, content []byte) {
	c.Helper()
	c.places[place] += len(content)
	for canary, text := range c.forms {
		if at := bytes.Index(content, text); at >= 0 {
			c.Errorf("%s: %s has %s: %q", place, what, canary, content[max(0, at-80):min(len(content), at+80)])
		}
	}
}

// searchFiles looks through the names and contents of all files below a folder.
func (c *canaries) searchFiles(place, dir string) {
	c.Helper()
	require.NoError(c, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir { // a running server removes files of its own
			return nil
		}
		if err != nil {
			return err
		}
		c.search(place, path, []byte(path))
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		c.search(place, path, content)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}))
}

// searchArguments looks at what every user of the machine sees of the worker.
func (c *canaries) searchArguments(role stack.Role) {
	c.Helper()
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.Workers[role].PID()))
	require.NoError(c, err)
	c.search("arguments", string(role), arguments)
}

// searchHistories looks through every event of every run of a namespace: as JSON, where payloads are
// base64, and as it is, where they are plain.
func (c *canaries) searchHistories(role stack.Role) {
	c.Helper()
	temporal := c.Temporal.Clients[role]
	request := &workflowservice.ListWorkflowExecutionsRequest{}
	for more := true; more; more = len(request.NextPageToken) > 0 {
		page, err := temporal.ListWorkflow(c.Context(), request)
		require.NoError(c, err)
		for _, run := range page.GetExecutions() {
			id := run.GetExecution()
			events := temporal.GetWorkflowHistory(c.Context(), id.GetWorkflowId(), id.GetRunId(), false, 0)
			for events.HasNext() {
				event, err := events.Next()
				require.NoError(c, err)
				c.searchMessage("history", id.GetWorkflowId(), event)
			}
			c.searchMessage("history", id.GetWorkflowId(), run)
		}
		request.NextPageToken = page.GetNextPageToken()
	}
}

func (c *canaries) searchMessage(place, what string, message proto.Message) {
	c.Helper()
	text, err := protojson.Marshal(message)
	require.NoError(c, err)
	c.search(place, what, text)
	plain, err := proto.Marshal(message)
	require.NoError(c, err)
	c.search(place, what, plain)
}
