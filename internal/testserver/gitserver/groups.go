package gitserver

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Account is a user of GitLab's REST API, and the token that it presents there.
type Account struct {
	Name, Token string
	// Scopes of the token: "read_api" looks, "api" creates, too.
	Scopes []string
	// Owns are groups in which, and in all within, the user may do anything. Others are private: it does not see them.
	Owns []string
	// TopLevel lets the user create groups that are in no other.
	TopLevel bool
}

// Group is one that the API has created.
type Group struct{ Path, Name, Visibility string }

// groupsAPI is the part of GitLab's REST API that is about groups, which are the server's folders.
type groupsAPI struct {
	server   *Server
	accounts []Account

	mu      sync.Mutex
	ids     []string // the path of the group with the ID i+1
	created []Group
}

// WithGroupsAPI serves the API below /api/v4/. The accounts' names are taken: they are namespaces of users.
func WithGroupsAPI(accounts ...Account) Option {
	return func(s *Server) { s.groups = &groupsAPI{server: s, accounts: accounts} }
}

const apiRoot = "/api/v4/"

// CreatedGroups are those that the API has created, in that order.
func (s *Server) CreatedGroups() []Group {
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	return slices.Clone(s.groups.created)
}

// CreateGroup makes a group, and those around it, as somebody does who is not the API's client.
func (s *Server) CreateGroup(group string) error { return os.MkdirAll(s.groupDir(group), 0o755) }

func (s *Server) groupDir(group string) string {
	return filepath.Join(s.dir, filepath.FromSlash(group))
}

func (a *groupsAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	code, answer := a.answer(r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

type fields map[string]any

func message(text string) fields { return fields{"message": text} }

func (a *groupsAPI) answer(r *http.Request) (code int, answer fields) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	i := slices.IndexFunc(a.accounts, func(u Account) bool { return u.Token == token })
	if i < 0 {
		return http.StatusUnauthorized, message("401 Unauthorized")
	}
	user := a.accounts[i]
	scopes := []string{"api"}
	if r.Method == http.MethodGet {
		scopes = append(scopes, "read_api")
	}
	if !slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(user.Scopes, s) }) {
		return http.StatusForbidden, fields{"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": strings.Join(scopes, " ")}
	}
	collection, escaped, one := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), apiRoot), "/")
	id, err := url.PathUnescape(escaped)
	switch {
	case err != nil || strings.Contains(escaped, "/"):
		return http.StatusNotFound, fields{"error": "404 Not Found"}
	case r.Method == http.MethodGet && one && collection == "groups":
		code, answer = a.group(user, id)
		if r.URL.Query().Get("with_projects") != "false" {
			answer["projects"] = strings.Repeat("a group may have many. ", 1e5)
		}
		return code, answer
	case r.Method == http.MethodGet && one && collection == "namespaces":
		return a.namespace(user, id)
	case r.Method == http.MethodPost && !one && collection == "groups":
		return a.create(user, r)
	}
	return http.StatusNotFound, fields{"error": "404 Not Found"}
}

// group finds by ID what consists of digits, as GitLab does.
func (a *groupsAPI) group(user Account, id string) (code int, answer fields) {
	if n, err := strconv.Atoi(id); err == nil {
		id = ""
		if 0 < n && n <= len(a.ids) {
			id = a.ids[n-1]
		}
	}
	if id == "" || !filepath.IsLocal(id) || !exists(a.server.groupDir(id)) || !user.owns(id) {
		return http.StatusNotFound, message("404 Group Not Found")
	}
	return http.StatusOK, a.describe(id)
}

func (a *groupsAPI) namespace(user Account, id string) (code int, answer fields) {
	if id == user.Name {
		return http.StatusOK, fields{"id": 1_000_000, "name": id, "path": id, "full_path": id, "kind": "user", "parent_id": nil}
	}
	if code, answer = a.group(user, id); code != http.StatusOK {
		return code, message("404 Namespace Not Found")
	}
	answer["kind"] = "group"
	return code, answer
}

var groupPath = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*$`)

func (a *groupsAPI) create(user Account, r *http.Request) (code int, answer fields) {
	var wanted struct {
		Name, Path, Visibility string
		ParentID               *int `json:"parent_id"`
	}
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	if err := body.Decode(&wanted); err != nil || r.Header.Get("Content-Type") != "application/json" {
		return http.StatusBadRequest, fields{"error": "the body is not JSON of a group"}
	}
	where, allowed := wanted.Path, user.TopLevel
	if wanted.ParentID != nil {
		code, parent := a.group(user, strconv.Itoa(*wanted.ParentID))
		if code != http.StatusOK {
			return code, parent
		}
		where, allowed = path.Join(parent["full_path"].(string), wanted.Path), true
	}
	isUser := slices.ContainsFunc(a.accounts, func(u Account) bool { return u.Name == where })
	switch {
	case !allowed:
		return http.StatusForbidden, message("403 Forbidden")
	case wanted.Name == "" || !groupPath.MatchString(wanted.Path):
		return http.StatusBadRequest, message("Failed to save group {:path=>[\"can contain only letters, digits, '_', '-' and '.'\"]}")
	case !slices.Contains([]string{"private", "internal", "public"}, wanted.Visibility):
		return http.StatusBadRequest, fields{"error": "visibility does not have a valid value"}
	case isUser || exists(a.server.groupDir(where)):
		return http.StatusBadRequest, message("Failed to save group {:path=>[\"has already been taken\"]}")
	}
	if err := os.Mkdir(a.server.groupDir(where), 0o755); err != nil {
		return http.StatusInternalServerError, message("500 Internal Server Error")
	}
	for i := range a.accounts {
		if a.accounts[i].Name == user.Name {
			a.accounts[i].Owns = append(a.accounts[i].Owns, where)
		}
	}
	a.created = append(a.created, Group{Path: where, Name: wanted.Name, Visibility: wanted.Visibility})
	return http.StatusCreated, a.describe(where)
}

func (a *groupsAPI) describe(group string) fields {
	if !slices.Contains(a.ids, group) {
		a.ids = append(a.ids, group)
	}
	return fields{"id": slices.Index(a.ids, group) + 1, "name": path.Base(group), "path": path.Base(group), "full_path": group}
}

func (u Account) owns(group string) bool {
	return slices.ContainsFunc(u.Owns, func(owned string) bool { return group == owned || strings.HasPrefix(group, owned+"/") })
}
