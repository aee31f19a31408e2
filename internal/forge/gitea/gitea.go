// Package gitea provisions a Gitea that stands in for a GitLab instance: users, projects and who may do what in them.
// Git's protocol and the paths of projects are as with GitLab: see package gitlab.
package gitea

import (
	"bytes"
	"context"
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

// ensure posts the object to the collection unless it is there.
func (a Admin) ensure(ctx context.Context, path, collection string, object map[string]any) error {
	status, err := a.do(ctx, http.MethodGet, path, nil)
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
	status, err := a.do(ctx, method, path, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%s %s: server answered %d", method, path, status)
	}
	return err
}

// do returns the status alone: an answer may repeat the password that it is about.
func (a Admin) do(ctx context.Context, method, path string, body []byte) (status int, err error) {
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
	_, err = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	return resp.StatusCode, err
}

func endpoint(elements ...string) string {
	path := "/api/v1"
	for _, e := range elements {
		path += "/" + url.PathEscape(e)
	}
	return path
}
