package gitlabapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/redirect"
	"github.com/app-sre/git-partition-sync/internal/testserver/pipeserver"
)

func TestAnswersThatAreNotGitLabs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a sign-in page":          {always(http.StatusOK, "text/html; charset=utf-8", "<html>"), `http status 200 with "text/html"`},
		"another forge's":         {always(http.StatusNotFound, "text/plain", "Not Found"), "http status 404"},
		"of no part of the API":   {always(http.StatusNotFound, jsonType, `{"error":"404 Not Found"}`), `http status 404 with "{\"error\":\"404 Not Found\"}"`},
		"not of the API":          {always(http.StatusNotFound, jsonType, ""), `http status 404 with "application/json"`},
		"a proxy's":               {always(http.StatusForbidden, "text/html", "<html>"), `http status 403 with "text/html"`},
		"of no kind":              {always(http.StatusOK, "", found), "http status 200"},
		"empty":                   {always(http.StatusOK, jsonType, ""), "unexpected end of JSON input"},
		"cut off":                 {always(http.StatusOK, jsonType, found[:20]), "unexpected end of JSON input"},
		"about something else":    {always(http.StatusOK, jsonType, `{"id":7,"full_path":"secret/\u001b[31m\u202eplans"}`), `about "secret/plans" with the id 7`},
		"about nothing":           {always(http.StatusOK, jsonType, `{}`), `about "" with the id 0`},
		"null":                    {always(http.StatusOK, jsonType, `null`), `about "" with the id 0`},
		"with an ID below zero":   {always(http.StatusOK, jsonType, `{"id":-1,"full_path":"mirror"}`), "the id -1"},
		"with an ID that is text": {always(http.StatusOK, jsonType, `{"id":"1","full_path":"mirror"}`), "cannot unmarshal"},
		"a list":                  {always(http.StatusOK, jsonType, "["+found+"]"), "cannot unmarshal"},
		"large":                   {always(http.StatusOK, jsonType, found+strings.Repeat(" ", 1<<20)), "exceeds 1048576 bytes"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", jsonType)
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, "exceeds 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, tt.answer)
			_, err := c.MissingGroups(t.Context(), "mirror")
			require.ErrorIs(t, err, gitlabapi.ErrNotGitLab)
			require.ErrorContains(t, err, tt.want)
			require.ErrorIs(t, c.CreateGroup(t.Context(), "mirror"), gitlabapi.ErrNotGitLab)
		})
	}
}

// Of an endless answer, no more is read than is needed to tell, whatever its status.
func TestAnswersTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusNotFound, http.StatusBadGateway} {
		body := &endless{}
		answer := http.Client{Transport: answering{func() io.Reader { return body }, status}}
		_, err := gitlabapi.New(gitlabapi.Options{Instance: gitlab.At(&url.URL{Scheme: "https", Host: "gitlab.example.com"}), HTTP: &answer}).MissingGroups(t.Context(), "mirror")
		require.Error(t, err)
		require.LessOrEqual(t, body.read, 1<<20+1, status)
	}
}

// endless is a text that counts what is read of it, and ends only so that a test does.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	if e.read > 1<<26 {
		return 0, io.EOF
	}
	e.read += len(b)
	return copy(b, strings.Repeat(" ", len(b))), nil
}

// The token is in one header, and in no error when the server repeats it.
func TestTokenIsNotTold(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if name != "Authorization" && strings.Contains(fmt.Sprint(r.Header[name]), token) {
				t.Errorf("the token is in %s", name)
			}
		}
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(r.RequestURI+string(body), token) {
			t.Error("the token is not only in the header")
		}
		if r.Method == http.MethodGet {
			always(http.StatusOK, jsonType, `{"id":1,"full_path":"`+r.Header.Get("Authorization")+`"}`)(w, r)
			return
		}
		w.Header().Set("X-Request-Id", token)
		w.Header().Set("Content-Type", jsonType)
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, `{"message":"`+r.Header.Get("Authorization")+`"}`)
	})
	_, err := c.MissingGroups(t.Context(), "mirror")
	for _, err := range []error{err, c.CreateGroup(t.Context(), "mirror"), askWhatIsNotHTTP(t)} {
		require.ErrorContains(t, err, "***")
		require.NotContains(t, err.Error(), token)
	}
}

// askWhatIsNotHTTP asks a server that only repeats the header.
func askWhatIsNotHTTP(t *testing.T) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err == nil {
			_, _ = io.WriteString(conn, request.Header.Get("Authorization")+"\n")
		}
		_ = conn.Close()
	}()
	_, err = client(t, "http://"+listener.Addr().String()).MissingGroups(t.Context(), "mirror")
	return err
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked, with %s", r.Host, r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL+r.RequestURI, status) })
		_, err := c.MissingGroups(t.Context(), "mirror")
		for _, err := range []error{err, c.CreateGroup(t.Context(), "mirror")} {
			require.ErrorIs(t, err, redirect.ErrRefused, status)
			require.ErrorContains(t, err, "refusing to send credentials there")
		}
	}
	within := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("moved") == "" {
			http.Redirect(w, r, "/elsewhere?moved=1", http.StatusFound)
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+token {
			t.Error("the token does not go along")
		}
		always(http.StatusOK, jsonType, found)(w, r)
	})
	_, err := within.MissingGroups(t.Context(), "mirror")
	require.NoError(t, err)
	require.ErrorIs(t, within.CreateGroup(t.Context(), "mirror"), redirect.ErrRefused, "a POST would become a GET")
}

func TestSilence(t *testing.T) {
	for name, tt := range map[string]struct {
		every time.Duration
		after time.Duration
		want  string
	}{
		"no answer":           {0, 30 * time.Second, "the server has sent nothing for 30s"},
		"stops in the middle": {time.Hour, 30 * time.Second, "read the answer: the server has sent nothing for 30s"},
		"never ends":          {10 * time.Second, time.Minute, "the server has not answered in full for 1m0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := pipeserver.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.every == 0 {
					<-r.Context().Done()
					return
				}
				w.Header().Set("Content-Type", jsonType)
				for r.Context().Err() == nil {
					_, _ = io.WriteString(w, " ")
					_ = http.NewResponseController(w).Flush()
					select {
					case <-r.Context().Done():
					case <-time.After(tt.every):
					}
				}
			}))
			base, err := url.Parse(pipeserver.URL)
			require.NoError(t, err)
			began := time.Now()
			_, err = gitlabapi.New(gitlabapi.Options{Instance: gitlab.At(base), HTTP: server}).MissingGroups(t.Context(), "mirror")
			require.ErrorIs(t, err, httpclient.ErrSilent, name)
			require.ErrorContains(t, err, tt.want, name)
			require.Equal(t, tt.after, time.Since(began), name)
		})
	}
}

func TestNoConnection(t *testing.T) {
	t.Parallel()
	_, err := client(t, "http://127.0.0.1:1").MissingGroups(t.Context(), "mirror")
	require.ErrorIs(t, err, httpclient.ErrRefused)
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(found), http.StatusOK)
	f.Add([]byte(`{"message":{"path":["has already been taken"]}}`), http.StatusBadRequest)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		status = 200 + (status&0x7fffffff)%400
		answer := http.Client{Transport: answering{func() io.Reader { return bytes.NewReader(body) }, status}}
		base := &url.URL{Scheme: "https", Host: "gitlab.example.com"}
		c := gitlabapi.New(gitlabapi.Options{Instance: gitlab.At(base), HTTP: &answer})
		missing, err := c.MissingGroups(t.Context(), "mirror")
		require.True(t, err != nil || missing == nil || status == http.StatusNotFound, missing)
		if err != nil {
			require.Less(t, len(err.Error()), 8000)
		}
	})
}

type answering struct {
	body   func() io.Reader
	status int
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Request: r, Header: http.Header{"Content-Type": {jsonType}}, Body: io.NopCloser(a.body()),
	}, nil
}
