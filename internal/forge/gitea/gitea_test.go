package gitea_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitea"
	"github.com/app-sre/git-partition-sync/internal/project"
)

const hook = "http://producer:8081/"

// server answers GET with found, and all else with done; it lists the hook where all is found. It notes what it was asked to change.
func server(t *testing.T, found, done int) (gitea.Admin, *[]string) {
	t.Helper()
	var changes []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token admin" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodGet && r.URL.Path == "/api/v1/admin/hooks" {
			url := map[bool]string{true: hook, false: "http://another/"}[found == http.StatusOK]
			_, _ = io.WriteString(w, `[{"config": {"content_type": "json", "url": "`+url+`"}}]`)
			return
		}
		if r.Method == http.MethodGet {
			w.WriteHeader(found)
			return
		}
		body, _ := io.ReadAll(r.Body)
		changes = append(changes, r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("Content-Type")+" "+string(body))
		w.WriteHeader(done)
		_, _ = w.Write(body) // an answer may repeat what it was asked
	}))
	t.Cleanup(s.Close)
	return gitea.Admin{URL: s.URL, Token: "admin"}, &changes
}

var router = project.Branch{Group: "web", Name: "router", Branch: "feature/x"}

func provision(t *testing.T, admin gitea.Admin) {
	t.Helper()
	require.NoError(t, admin.AddUser(t.Context(), "mirror", "s3cret"))
	require.NoError(t, admin.AddProject(t.Context(), router, map[string]any{"name": router.Name}))
	require.NoError(t, admin.AddBranch(t.Context(), router))
	require.NoError(t, admin.AddCollaborator(t.Context(), router, "mirror", "read"))
	require.NoError(t, admin.AddFile(t.Context(), router, "a.txt", []byte("text")))
	require.NoError(t, admin.AddSystemHook(t.Context(), hook, "s3cret"))
}

func TestWhatIsMissingIsCreated(t *testing.T) {
	admin, changes := server(t, http.StatusNotFound, http.StatusCreated)
	provision(t, admin)
	const json = " application/json "
	require.Equal(t, []string{
		"POST /api/v1/admin/users" + json + `{"email":"mirror@localhost.localdomain","must_change_password":false,"password":"s3cret","username":"mirror"}`,
		"POST /api/v1/orgs" + json + `{"username":"web","visibility":"private"}`,
		"POST /api/v1/orgs/web/repos" + json + `{"name":"router"}`,
		"POST /api/v1/repos/web/router/branches" + json + `{"new_branch_name":"feature/x"}`,
		"PUT /api/v1/repos/web/router/collaborators/mirror" + json + `{"permission":"read"}`,
		"POST /api/v1/repos/web/router/contents/a.txt" + json + `{"branch":"feature/x","content":"dGV4dA==","message":"Add a.txt"}`,
		"POST /api/v1/admin/hooks" + json + `{"active":true,"config":{"content_type":"json","is_system_webhook":"true","secret":"s3cret","url":"http://producer:8081/"},"events":["push","create","delete"],"type":"gitea"}`,
	}, *changes)
}

func TestWhatIsThereStays(t *testing.T) {
	admin, changes := server(t, http.StatusOK, http.StatusNoContent)
	provision(t, admin)
	require.Len(t, *changes, 1)
	require.Contains(t, (*changes)[0], "PUT /api/v1/repos/web/router/collaborators/mirror ", "which changes nothing when it is so already")
}

func TestErrorsSayNothingOfPasswords(t *testing.T) {
	admin, _ := server(t, http.StatusNotFound, http.StatusUnprocessableEntity)
	err := admin.AddUser(t.Context(), "mirror", "s3cret")
	require.EqualError(t, err, "POST /api/v1/admin/users: server answered 422")
	admin.Token = "expired"
	require.EqualError(t, admin.AddUser(t.Context(), "mirror", "s3cret"), "GET /api/v1/users/mirror: server answered 401")
	require.EqualError(t, admin.AddSystemHook(t.Context(), hook, "s3cret"), "GET /api/v1/admin/hooks: server answered 401")
}

func TestServerThatIsNotThere(t *testing.T) {
	admin := gitea.Admin{URL: "http://127.0.0.1:1"}
	require.ErrorContains(t, admin.AddProject(t.Context(), router, nil), "connection refused")
	require.ErrorContains(t, admin.AddCollaborator(t.Context(), router, "mirror", "read"), "connection refused")
}
