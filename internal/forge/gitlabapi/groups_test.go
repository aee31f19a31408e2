package gitlabapi_test

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/testserver/gitserver"
)

const token = "glpat-0123456789"

var owner = gitserver.Account{Name: "mirror-bot", Token: token, Scopes: []string{"api"}, Owns: []string{"mirror"}}

// start serves the API below /gitlab. Between may answer a request in its place.
func start(t *testing.T, account gitserver.Account, between func(http.ResponseWriter, *http.Request) bool) (*gitserver.Server, *gitlabapi.Client) {
	t.Helper()
	server, err := gitserver.Start(t.TempDir(), gitserver.Credentials{}, gitserver.WithGroupsAPI(account), gitserver.WithMiddleware(func(next http.Handler) http.Handler {
		return http.StripPrefix("/gitlab", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "git-partition-sync/test", r.UserAgent(), "GitLab's logs say who asks")
			if between == nil || !between(w, r) {
				next.ServeHTTP(w, r)
			}
		}))
	}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	require.NoError(t, server.CreateGroup("mirror/platform"))
	require.NoError(t, server.CreateGroup("hidden"))
	return server, client(t, server.URL()+"/gitlab/")
}

func client(t *testing.T, address string) *gitlabapi.Client {
	t.Helper()
	base, err := url.Parse(address)
	require.NoError(t, err)
	return gitlabapi.New(gitlabapi.Options{Instance: gitlab.At(base), Token: token, Agent: "git-partition-sync/test"})
}

func TestMissingGroups(t *testing.T) {
	t.Parallel()
	subgroupOwner, reader := owner, owner
	subgroupOwner.Owns, reader.Scopes = []string{"mirror/platform"}, []string{"read_api"}
	for name, tt := range map[string]struct {
		account gitserver.Account
		group   string
		missing []string
	}{
		"all are there":                   {owner, "mirror/platform", nil},
		"the innermost":                   {owner, "mirror/platform/edge", []string{"mirror/platform/edge"}},
		"several":                         {owner, "mirror/a/b.c", []string{"mirror/a", "mirror/a/b.c"}},
		"all":                             {owner, "new/a", []string{"new", "new/a"}},
		"around what the user sees":       {subgroupOwner, "mirror/platform", nil},
		"in what the user sees":           {subgroupOwner, "mirror/platform/edge", []string{"mirror/platform/edge"}},
		"hidden":                          {owner, "hidden", []string{"hidden"}},
		"the user's own namespace":        {owner, "mirror-bot", nil},
		"to a token that may only look":   {reader, "mirror/a", []string{"mirror/a"}},
		"a path that is an ID to the API": {owner, "77", []string{"77"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, c := start(t, tt.account, nil)
			missing, err := c.MissingGroups(t.Context(), tt.group)
			require.NoError(t, err)
			require.Equal(t, tt.missing, missing)
			require.Empty(t, server.CreatedGroups())
		})
	}
}

func TestUserNamespaceHasNoGroups(t *testing.T) {
	t.Parallel()
	_, c := start(t, owner, nil)
	_, err := c.MissingGroups(t.Context(), "mirror-bot/a")
	require.ErrorIs(t, err, gitlabapi.ErrRefused)
	require.EqualError(t, err, `group "mirror-bot/a": gitlab's api refuses it: "mirror-bot" is a user's namespace, in which there are no groups`)
}

// A number of the API is not mistaken for a path.
func TestPathThatIsAnID(t *testing.T) {
	t.Parallel()
	_, c := start(t, owner, nil)
	for _, group := range []string{"mirror", "mirror/platform"} { // get the IDs 1 and 2
		_, err := c.MissingGroups(t.Context(), group)
		require.NoError(t, err)
	}
	_, err := c.MissingGroups(t.Context(), "2/app")
	require.ErrorContains(t, err, `look for group "2": answer is not from gitlab's api: it is about "mirror/platform" with the id 2`)
	require.ErrorIs(t, c.CreateGroup(t.Context(), "2/app"), gitlabapi.ErrNotGitLab)
}

func TestGroupsAreCreated(t *testing.T) {
	t.Parallel()
	account := owner
	account.TopLevel = true
	server, c := start(t, account, nil)
	for _, group := range []string{"mirror/a", "mirror/a/b.c", "New"} {
		require.NoError(t, c.CreateGroup(t.Context(), group))
		missing, err := c.MissingGroups(t.Context(), group)
		require.NoError(t, err)
		require.Empty(t, missing)
	}
	require.Equal(t, []gitserver.Group{
		{Path: "mirror/a", Name: "a", Visibility: "private"}, {Path: "mirror/a/b.c", Name: "b.c", Visibility: "private"}, {Path: "New", Name: "New", Visibility: "private"},
	}, server.CreatedGroups())
}

func TestGroupsThatAreRefused(t *testing.T) {
	t.Parallel()
	reader, pusher, stranger := owner, owner, owner
	reader.Scopes, pusher.Scopes, stranger.Token = []string{"read_api", "read_repository"}, []string{"write_repository"}, "another"
	for name, tt := range map[string]struct {
		account gitserver.Account
		group   string
		want    string
	}{
		"a token that may only look":  {reader, "mirror/a", "insufficient_scope"},
		"a token that may only push":  {pusher, "mirror/a", "insufficient_scope"},
		"a token of somewhere else":   {stranger, "mirror/a", "(http status 401): {\"message\":\"401 Unauthorized\"}"},
		"top-level groups":            {owner, "top", "create group \"top\": gitlab's api refuses it (http status 403): {\"message\":\"403 Forbidden\"}"},
		"in a group that is hidden":   {owner, "hidden/a", "\"hidden\" does not exist"},
		"what is there, and hidden":   {topLevel(owner), "hidden", "has already been taken"},
		"what is a user's":            {topLevel(owner), "mirror-bot", "has already been taken"},
		"what is no name of a group":  {owner, "mirror/-a", "can contain only letters"},
		"in a group that is not here": {owner, "mirror/x/y", "\"mirror/x\" does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, c := start(t, tt.account, nil)
			err := c.CreateGroup(t.Context(), tt.group)
			require.ErrorIs(t, err, gitlabapi.ErrRefused)
			require.ErrorContains(t, err, tt.want)
			require.Empty(t, server.CreatedGroups())
		})
	}
}

func topLevel(a gitserver.Account) gitserver.Account {
	a.TopLevel = true
	return a
}

// Whether a group that is refused is there by now may be a question that has to be asked again.
func TestRefusedGroupIsLookedForInVain(t *testing.T) {
	t.Parallel()
	var posted atomic.Bool
	_, c := start(t, owner, func(w http.ResponseWriter, r *http.Request) bool {
		code := http.StatusBadRequest
		switch {
		case r.Method == http.MethodPost:
			posted.Store(true)
		case posted.Load():
			code = http.StatusServiceUnavailable
		default:
			return false
		}
		always(code, jsonType, `{"message":"has already been taken"}`)(w, r)
		return true
	})
	require.ErrorIs(t, c.CreateGroup(t.Context(), "mirror/a"), httpclient.ErrUnavailable)
}

// Somebody else creates the group between the question and the request.
func TestGroupIsCreatedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, says := range []int{0, http.StatusConflict, http.StatusUnprocessableEntity} {
		var server *gitserver.Server
		var posts int
		server, c := start(t, owner, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			posts++
			if err := server.CreateGroup("mirror/a"); err != nil {
				t.Error(err)
			}
			if says != 0 {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(says)
			}
			return says != 0
		})
		require.NoError(t, c.CreateGroup(t.Context(), "mirror/a"), says)
		require.Equal(t, 1, posts)
	}
}
