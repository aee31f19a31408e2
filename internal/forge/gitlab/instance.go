// Package gitlab holds GitLab's own rules: how a project's path becomes a URL and a URL a path, which paths are
// valid, which of them are the same project, and what an instance says in its answers. Git's protocol, which all
// forges share, is in package smarthttp.
//
// Gitea has the same URLs and also ignores the case of paths, so it can replace an instance in tests. It has no
// subgroups.
package gitlab

import (
	"fmt"
	"net/url"
	"strings"
)

// Instance is a GitLab server, identified by its address.
type Instance struct{ base url.URL }

// At returns the instance at an address, such as "https://gitlab.example.com". The address has a path if GitLab is
// installed below one. Its user info, query and fragment are ignored.
func At(base *url.URL) Instance {
	root := base.JoinPath("/") // so that all paths begin with a slash
	root.User, root.RawQuery, root.Fragment = nil, "", ""
	return Instance{base: *root}
}

// Repository returns the URL of a project's repository: address/group/name.git. It accepts every name that stays
// below the address; ValidateProject tells which ones GitLab accepts.
func (i Instance) Repository(project string) (*url.URL, error) {
	segments := strings.Split(project+".git", "/")
	for n, segment := range segments {
		if segment == "" || segment == "." || segment == ".." {
			return nil, fmt.Errorf("invalid repository path %q", project)
		}
		segments[n] = url.PathEscape(segment)
	}
	return i.base.JoinPath(segments...), nil
}

// Project returns the path of the project whose repository has the URL, such as the target of a redirect. For a URL
// that is not below the instance's address it is false, with as much of a path as there is.
func (i Instance) Project(repository *url.URL) (project string, below bool) {
	project, below = strings.CutPrefix(repository.Path, strings.TrimSuffix(i.base.Path, "/")+"/")
	return strings.TrimSuffix(project, ".git"), below
}

// API returns the URL of something in the instance's REST API: a collection, or one of it by its path.
func (i Instance) API(collection string, path ...string) *url.URL {
	u := i.base.JoinPath("api", "v4", collection)
	for _, p := range path {
		u = u.JoinPath(url.PathEscape(p))
	}
	return u
}

// RequestID is the name of the header with the ID by which the instance's logs can be searched.
func (Instance) RequestID() string { return "X-Request-Id" }

// NotFound tells whether an instance's words, within Git's protocol, mean that there is no such project or that the
// credentials may not read it. GitLab does not tell the two apart.
func (Instance) NotFound(words string) bool {
	return strings.Contains(strings.ToLower(words), "could not be found")
}
