package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// gitea is its API (https://docs.gitea.com/api), as an administrator.
type gitea struct {
	url, token string
}

func (g gitea) addUser(ctx context.Context, name, password string) error {
	return g.ensure(ctx, endpoint("users", name), endpoint("admin", "users"), map[string]any{
		"username": name, "email": name + "@localhost.localdomain", "password": password, "must_change_password": false,
	})
}

// addProject creates the group too, as an organization.
func (g gitea) addProject(ctx context.Context, b project.Branch, options map[string]any) error {
	err := g.ensure(ctx, endpoint("orgs", b.Group), endpoint("orgs"), map[string]any{"username": b.Group, "visibility": "private"})
	if err != nil {
		return err
	}
	return g.ensure(ctx, endpoint("repos", b.Group, b.Name), endpoint("orgs", b.Group, "repos"), options)
}

func (g gitea) addBranch(ctx context.Context, b project.Branch) error {
	branches := endpoint("repos", b.Group, b.Name, "branches")
	return g.ensure(ctx, branches+"/"+url.PathEscape(b.Branch), branches, map[string]any{"new_branch_name": b.Branch})
}

func (g gitea) addCollaborator(ctx context.Context, b project.Branch, user, permission string) error {
	path := endpoint("repos", b.Group, b.Name, "collaborators", user)
	return g.call(ctx, http.MethodPut, path, map[string]any{"permission": permission})
}

// ensure posts the object to the collection unless it is there.
func (g gitea) ensure(ctx context.Context, path, collection string, object map[string]any) error {
	status, err := g.do(ctx, http.MethodGet, path, nil)
	if err != nil || status == http.StatusOK {
		return err
	}
	if status != http.StatusNotFound {
		return fmt.Errorf("GET %s: server answered %d", path, status)
	}
	return g.call(ctx, http.MethodPost, collection, object)
}

func (g gitea) call(ctx context.Context, method, path string, object map[string]any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	status, err := g.do(ctx, method, path, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%s %s: server answered %d", method, path, status)
	}
	return err
}

// do returns the status alone: an answer may repeat the password that it is about.
func (g gitea) do(ctx context.Context, method, path string, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, g.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "token "+g.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
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
