// Package gitlab holds the rules of GitLab's own: how a project's path becomes a URL and a URL a path, which paths
// there may be, which of them are the same project, and what an instance says about itself. Git's protocol, which
// all forges speak, is package smarthttp's.
//
// Gitea has the same URLs, and finds projects in the same way, so that it can stand in for an instance. It has no subgroups.
package gitlab

import (
	"fmt"
	"net/url"
	"strings"
)

// Instance is one GitLab server, told by its address.
type Instance struct{ base url.URL }

// At is the instance at an address, "https://gitlab.example.com", with a path when it is installed below one. User
// info, a query and a fragment in it are ignored.
func At(base *url.URL) Instance {
	root := base.JoinPath("/") // so that all paths begin with a slash
	root.User, root.RawQuery, root.Fragment = nil, "", ""
	return Instance{base: *root}
}

// Repository returns the URL of a project's repository: address/group/name.git. The project may have any name that
// stays below the address: ValidateProject says which ones GitLab takes.
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

// Project returns the path of the project whose repository has the URL, such as one that a redirect leads to. It is
// false, with what there is of a path, for a URL that is not below the instance's address.
func (i Instance) Project(repository *url.URL) (project string, below bool) {
	project, below = strings.CutPrefix(repository.Path, strings.TrimSuffix(i.base.Path, "/")+"/")
	return strings.TrimSuffix(project, ".git"), below
}

// RequestID names the header by whose value the instance's logs are searched.
func (Instance) RequestID() string { return "X-Request-Id" }

// NotFound tells whether an instance's words, within an answer that is Git's, say that there is no such project, or
// that the credentials may not read it: GitLab does not tell the two apart.
func (Instance) NotFound(words string) bool {
	return strings.Contains(strings.ToLower(words), "could not be found")
}
