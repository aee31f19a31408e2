package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// maxRefs is how many refs of one push are told one by one.
const maxRefs = 1000

// Push says that refs of a project moved, appeared or went.
type Push struct {
	Project string   // the full path, such as "platform/edge/router"
	Refs    []string // full names; nil when they are too many, or not told: any ref may have moved
}

var (
	// errNoPush is a delivery of another event.
	errNoPush = errors.New("not a push")
	// errMalformed is a delivery that does not have the shape of the event that it says it is.
	errMalformed = errors.New("malformed")
)

// parsePush reads a delivery of GitLab or Gitea. Which one has sent it, only the headers tell.
func parsePush(header http.Header, body []byte) (Push, error) {
	if event := header.Get("X-Gitea-Event"); event != "" {
		return parseGitea(event, body)
	}
	return parseGitLab(body)
}

// parseGitLab reads a push or tag push of a project's, group's or system hook, and a system hook's repository_update, which is
// one for all refs of a push: GitLab sends none of the others when a push has more than a few refs.
// See https://docs.gitlab.com/user/project/integrations/webhook_events/ and https://docs.gitlab.com/administration/system_hooks/.
func parseGitLab(body []byte) (Push, error) {
	var kind struct {
		EventName  string `json:"event_name"`
		ObjectKind string `json:"object_kind"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return Push{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	event := kind.EventName
	if event == "" {
		event = kind.ObjectKind
	}
	var push struct {
		Ref     string   `json:"ref"`
		Refs    []string `json:"refs"`
		Project struct {
			Path string `json:"path_with_namespace"`
		} `json:"project"`
	}
	switch event {
	case "push", "tag_push", "repository_update":
		if err := json.Unmarshal(body, &push); err != nil {
			return Push{}, fmt.Errorf("%w: %w", errMalformed, err)
		}
	default:
		return Push{}, errNoPush
	}
	if event == "repository_update" {
		return newPush(push.Project.Path, push.Refs)
	}
	if push.Ref == "" {
		return Push{}, fmt.Errorf("%w: a push without a ref", errMalformed)
	}
	return newPush(push.Project.Path, []string{push.Ref})
}

// parseGitea reads a push, or that a branch or tag was created or deleted, which names it in short.
// See https://docs.gitea.com/usage/webhooks.
func parseGitea(event string, body []byte) (Push, error) {
	switch event {
	case "push", "create", "delete":
	default:
		return Push{}, errNoPush
	}
	var push struct {
		Ref        string `json:"ref"`
		RefType    string `json:"ref_type"`
		Repository struct {
			Path string `json:"full_name"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &push); err != nil {
		return Push{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	switch {
	case push.Ref == "":
		return Push{}, fmt.Errorf("%w: a push without a ref", errMalformed)
	case strings.HasPrefix(push.Ref, "refs/"):
	case push.RefType == "tag":
		push.Ref = "refs/tags/" + push.Ref
	default:
		push.Ref = "refs/heads/" + push.Ref
	}
	return newPush(push.Repository.Path, []string{push.Ref})
}

func newPush(path string, refs []string) (Push, error) {
	switch {
	case path == "":
		return Push{}, fmt.Errorf("%w: a push without a project", errMalformed)
	case len(refs) == 0 || len(refs) > maxRefs:
		return Push{Project: path}, nil
	}
	return Push{path, refs}, nil
}
