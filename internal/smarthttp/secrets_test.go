package smarthttp_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// checkNoSecret looks for what is left of the credentials, as they are and as they are sent.
func checkNoSecret(t *testing.T, err error) {
	t.Helper()
	require.ErrorContains(t, err, "*") // not all of the stars where it was cut
	require.NotContains(t, err.Error(), login.Password)
	basic := base64.StdEncoding.EncodeToString([]byte(login.User + ":" + login.Password))
	for i := range len(basic) - 8 { // "Ym90O" is the user's name
		if i > 4 {
			require.NotContains(t, err.Error(), basic[i:i+8])
		}
	}
}

// A hook has the request's header in its environment (git-http-backend(1)), and those who
// debug it print that.
func TestHooksTellNoSecrets(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"env":              "env >&2; exit 1",
		"in pieces":        `echo "$HTTP_AUTHORIZATION" | sed 's/./&\r/g' >&2; exit 1`,
		"in lines":         `echo "$HTTP_AUTHORIZATION" | fold -w 7 >&2; exit 1`,
		"with NUL":         `echo "$HTTP_AUTHORIZATION" | sed 's/./&_/g' | tr _ '\000' >&2; exit 1`,
		"decoded":          `echo "$HTTP_AUTHORIZATION" | cut -c7- | base64 -d >&2; exit 1`,
		"in two packets":   `printf %.14s "$HTTP_AUTHORIZATION" >&2; sleep 0.1; echo "$HTTP_AUTHORIZATION" | cut -c15- >&2; exit 1`,
		"cut by the limit": `printf '%292s%s' . "$HTTP_AUTHORIZATION" | tr ' ' . >&2; exit 1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t)
			r.hook(t, script)
			err := r.push(t, "", r.base, r.snapshot)
			var refused *smarthttp.RefusedError
			require.ErrorAs(t, err, &refused)
			checkNoSecret(t, refused)
		})
	}
}

// Whatever part of an answer repeats the request.
func TestAnswersTellNoSecrets(t *testing.T) {
	t.Parallel()
	line := func(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }
	for name, answer := range map[string]func(w http.ResponseWriter, told string){
		"error page": func(w http.ResponseWriter, told string) { http.Error(w, told, http.StatusBadGateway) },
		"request id": func(w http.ResponseWriter, told string) {
			w.Header().Set("X-Request-Id", told)
			w.WriteHeader(http.StatusInternalServerError)
		},
		"content type": func(w http.ResponseWriter, told string) { w.Header().Set("Content-Type", "text/"+told) },
		"redirect": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "/moved/"+login.Password)
			w.WriteHeader(http.StatusFound)
		},
		"other server": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "http://"+login.Password+".example/")
			w.WriteHeader(http.StatusFound)
		},
		"ERR packet": func(w http.ResponseWriter, told string) { fmt.Fprint(w, line("ERR "+told)) },
		"object format": func(w http.ResponseWriter, _ string) {
			fmt.Fprint(w, line("version 2\n"), line("object-format="+login.Password+"\n"), "0000")
		},
		"ref's value": func(w http.ResponseWriter, told string) {
			fmt.Fprint(w, line(strings.ReplaceAll(told, " ", "_")+" refs/heads/main\x00 \n"), "0000")
		},
		"not HTTP": func(w http.ResponseWriter, told string) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				fmt.Fprint(connection, told, "\r\n\r\n")
				_ = connection.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
				if r.URL.Path == "/moved/"+login.Password {
					fmt.Fprint(w, "0000")
					return
				}
				answer(w, r.Header.Get("Authorization")+" "+login.Password)
			})
			_, err := headsOf(t.Context(), client, repo, "main")
			checkNoSecret(t, err)
		})
	}
}
