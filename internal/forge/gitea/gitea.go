// Package gitea provisions a Gitea that stands in for a GitLab instance: users, projects and who may do what in them.
// Git's protocol and the paths of projects are as with GitLab: see package gitlab.
package gitea

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/redirect"
)

// Admin is an administrator, who talks to the server's API (https://docs.gitea.com/api). What is there already stays.
type Admin struct {
	URL   string // the server's, without a trailing slash
	Token string
}

// AddUser creates a user with a password, by which it also pushes.
func (a Admin) AddUser(ctx context.Context, name, password string) error {
	return a.ensure(ctx, endpoint("users", name), endpoint("admin", "users"), map[string]any{
		"username": name, "email": name + "@localhost.localdomain", "password": password, "must_change_password": false,
	})
}

// AddProject creates a project with the options of the API, and its group, which is an organization. It has no subgroups.
func (a Admin) AddProject(ctx context.Context, b project.Branch, options map[string]any) error {
	err := a.ensure(ctx, endpoint("orgs", b.Group), endpoint("orgs"), map[string]any{"username": b.Group, "visibility": "private"})
	if err != nil {
		return err
	}
	return a.ensure(ctx, endpoint("repos", b.Group, b.Name), endpoint("orgs", b.Group, "repos"), options)
}

// AddBranch creates a branch at the head of the default branch.
func (a Admin) AddBranch(ctx context.Context, b project.Branch) error {
	branches := endpoint("repos", b.Group, b.Name, "branches")
	return a.ensure(ctx, branches+"/"+url.PathEscape(b.Branch), branches, map[string]any{"new_branch_name": b.Branch})
}

// AddCollaborator gives a user a permission in the project: "read" or "write".
func (a Admin) AddCollaborator(ctx context.Context, b project.Branch, user, permission string) error {
	path := endpoint("repos", b.Group, b.Name, "collaborators", user)
	return a.call(ctx, http.MethodPut, path, map[string]any{"permission": permission})
}

// AddFile commits a file to the branch. If the attributes of the branch say so (gitattributes(5)), it becomes an object of Git LFS.
func (a Admin) AddFile(ctx context.Context, b project.Branch, name string, content []byte) error {
	file := endpoint("repos", b.Group, b.Name, "contents", name)
	return a.ensure(ctx, file+"?ref="+url.QueryEscape(b.Branch), file, map[string]any{
		"branch": b.Branch, "content": base64.StdEncoding.EncodeToString(content), "message": "Add " + name,
	})
}

// AddSystemHook has the server deliver all pushes to all projects to the address, signed with the secret. Addresses of its own
// network it takes only with [webhook] ALLOWED_HOST_LIST.
func (a Admin) AddSystemHook(ctx context.Context, address, secret string) error {
	hooks := endpoint("admin", "hooks")
	var there []struct{ Config struct{ URL string } }
	status, err := a.do(ctx, http.MethodGet, hooks+"?type=system&limit=50", nil, &there)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: server answered %d", hooks, status)
	}
	for _, hook := range there {
		if hook.Config.URL == address {
			return nil
		}
	}
	return a.call(ctx, http.MethodPost, hooks, map[string]any{
		"type": "gitea", "active": true, "events": []string{"push", "create", "delete"},
		"config": map[string]any{"url": address, "content_type": "json", "secret": secret, "is_system_webhook": "true"},
	})
}

// ensure posts the object to the collection unless it is there.
func (a Admin) ensure(ctx context.Context, path, collection string, object map[string]any) error {
	status, err := a.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil || status == http.StatusOK {
		return err
	}
	if status != http.StatusNotFound {
		return fmt.Errorf("GET %s: server answered %d", path, status)
	}
	return a.call(ctx, http.MethodPost, collection, object)
}

func (a Admin) call(ctx context.Context, method, path string, object map[string]any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	status, err := a.do(ctx, method, path, body, nil)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%s %s: server answered %d", method, path, status)
	}
	return err
}

// maxAnswer is the most that is read of an answer, in bytes.
const maxAnswer = 1 << 20

// do returns the status, and an answer of 200 only to who asks for it: it may repeat the password that it is about.
func (a Admin) do(ctx context.Context, method, path string, body []byte, answer any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "token "+a.Token)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{CheckRedirect: redirect.SameServerOnly(nil)}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // all of it, so that the connection is used again
	if err == nil && answer != nil && resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(text, answer)
	}
	return resp.StatusCode, err
}

func endpoint(elements ...string) string {
	path := "/api/v1"
	for _, e := range elements {
		path += "/" + url.PathEscape(e)
	}
	return path
}
