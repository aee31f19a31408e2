package lfsapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
)

// What a link has that nobody else may know.
const (
	querySecret  = "sig-4f8a11d09c7be2"
	headerSecret = "hdr-93bb20c1d7e84f"
	pathSecret   = "path-77aa01fe5c6d2"
)

// checkNoSecret looks for what is left of the credentials, and of a link.
func checkNoSecret(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	for _, secret := range []string{login.Password, strings.TrimPrefix(basicAuth(), "Basic "), querySecret, headerSecret, pathSecret} {
		for at := range len(secret) - 9 {
			require.NotContains(t, err.Error(), secret[at:at+10])
		}
	}
}

// Whatever part of a store's or server's answer repeats a signed link, its headers, or the request's credentials.
func TestLinksTellNoSecrets(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter, told string){
		"message": func(w http.ResponseWriter, told string) {
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, `{"message":%q}`, told)
		},
		"text": func(w http.ResponseWriter, told string) { http.Error(w, told, http.StatusBadGateway) },
		"cut text": func(w http.ResponseWriter, told string) {
			http.Error(w, strings.Repeat(". ", 93)+told, http.StatusBadGateway)
		},
		"store's error": func(w http.ResponseWriter, told string) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><StringToSign>%s</StringToSign></Error>", told)
		},
		"web page": func(w http.ResponseWriter, told string) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, told)
		},
		"request id": func(w http.ResponseWriter, told string) {
			w.Header().Set("X-Request-Id", told)
			w.Header().Set("X-Amz-Request-Id", told)
			w.WriteHeader(http.StatusInternalServerError)
		},
		"content type": func(w http.ResponseWriter, told string) {
			w.Header().Set("Content-Type", "text/"+told)
			_, _ = io.WriteString(w, "x")
		},
		"encoding": func(w http.ResponseWriter, told string) { w.Header().Set("Content-Encoding", told) },
		"redirect": func(w http.ResponseWriter, told string) {
			w.Header().Set("Location", "http://store.example/?"+strings.ReplaceAll(told, " ", "+"))
			w.WriteHeader(http.StatusFound)
		},
		"redirect to no URL": func(w http.ResponseWriter, told string) {
			w.Header().Set("Location", "https://[?"+strings.ReplaceAll(told, " ", "+"))
			w.WriteHeader(http.StatusFound)
		},
		"not HTTP": func(w http.ResponseWriter, told string) {
			if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.WriteString(connection, told+"\r\n\r\n")
				_ = connection.Close()
			}
		},
	} {
		for _, at := range []string{git, store} {
			for _, op := range []lfsapi.Operation{lfsapi.Download, lfsapi.Upload} {
				t.Run(name+" from "+at+" "+string(op), func(t *testing.T) {
					t.Parallel()
					v := newWorld(content)
					link := at + "/" + pathSecret + "?X-Amz-Signature=" + querySecret
					v.link = map[string]any{"href": link, "header": map[string]string{"X-Secret": headerSecret}}
					v.handlers[at+"/"+pathSecret] = func(w http.ResponseWriter, r *http.Request) {
						told := strings.Join([]string{r.Header.Get("X-Secret"), querySecret, r.URL.RawQuery, r.Header.Get("Authorization"), link, login.Password}, " ")
						answer(w, told)
					}
					client := v.client(t, git)
					transfer := ask(t, client, op, objectOf(content))
					var err error
					if op == lfsapi.Download {
						err = client.Download(t.Context(), transfer, newFile(t, nil))
					} else {
						err = client.Upload(t.Context(), transfer, bytes.NewReader(content))
					}
					if err == nil { // of uploads, some are successes
						require.Equal(t, lfsapi.Upload, op)
						return
					}
					checkNoSecret(t, err)
					require.NotContains(t, err.Error(), "Signature")
				})
			}
		}
	}
}

// Links that are not followed are named by scheme and host.
func TestRefusedLinksTellNoSecrets(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"http://store.example", "https://169.254.169.254", "https://user:" + login.Password + "@store.example", "https://%zz", "ftp://x"} {
		v := newWorld(content)
		v.link = map[string]any{"href": base + "/" + pathSecret + "?s=" + querySecret, "header": map[string]string{"X-Secret": headerSecret}}
		checkNoSecret(t, ask(t, v.client(t, git), lfsapi.Download, objectOf(content)).Err())
	}
	v := newWorld(content)
	v.link = map[string]any{"href": git + "/object", "header": map[string]string{"X-Secret": headerSecret + "\n"}}
	checkNoSecret(t, ask(t, v.client(t, git), lfsapi.Download, objectOf(content)).Err())
}

// Whatever part of an answer to a batch repeats the request.
func TestBatchesTellNoSecrets(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter, told string){
		"message": func(w http.ResponseWriter, told string) { lfsMessage(w, 500, told) },
		"signed link": func(w http.ResponseWriter, told string) {
			lfsMessage(w, 500, told+" HTTPS://store.example?"+querySecret)
		},
		"quota":        func(w http.ResponseWriter, told string) { lfsMessage(w, 403, "quota "+told) },
		"content type": func(w http.ResponseWriter, told string) { w.Header().Set("Content-Type", "text/"+told) },
		"transfer": func(w http.ResponseWriter, told string) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = fmt.Fprintf(w, `{"transfer":%q}`, told)
		},
		"hash": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = fmt.Fprintf(w, `{"hash_algo":%q}`, login.Password)
		},
		"object": func(w http.ResponseWriter, told string) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(w, batchOf(fmt.Sprintf(`{"oid":%q,"error":{"code":500,"message":%q}}`, objectOf(content).OID, told)))
		},
		"object's link": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(w, batchOf(fmt.Sprintf(`{"oid":%q,"error":{"code":404,"message":"no https://store.example/%s?x=%s"}}`, objectOf(content).OID, pathSecret, querySecret)))
		},
		"other project": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "/"+login.Password+"/x.git/info/lfs/objects/batch")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"other server": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "https://"+login.Password+".example/x.git/info/lfs/objects/batch?"+querySecret)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"not HTTP": func(w http.ResponseWriter, told string) {
			if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.WriteString(connection, told+"\r\n\r\n")
				_ = connection.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				answer(w, r.Header.Get("Authorization")+" "+login.Password)
			})
			transfers, err := client.Batch(t.Context(), repo, lfsapi.Download, []lfs.Object{objectOf(content)})
			if err == nil {
				err = transfers[0].Err()
			}
			checkNoSecret(t, err)
		})
	}
}

func lfsMessage(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, text)
}

// A store's code is of use to whoever looks for the cause.
func TestStoreCode(t *testing.T) {
	t.Parallel()
	v := newWorld(content)
	v.link = map[string]any{"href": store + "/object"}
	v.handlers[store+"/object"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("X-Amz-Request-Id", "4442587FB7D0A2F9")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>RequestTimeTooSkewed</Code><Message>secret</Message></Error>`)
	}
	client := v.client(t, git)
	err := client.Download(t.Context(), ask(t, client, lfsapi.Download, objectOf(content)), newFile(t, nil))
	require.ErrorIs(t, err, lfsapi.ErrLinkRefused)
	require.EqualError(t, err, "download the LFS object "+objectOf(content).OID+`: "https://store.example": the LFS server's own link is refused (http status 403): RequestTimeTooSkewed (request id 4442587FB7D0A2F9)`)
}

// S3 has no 413: a link of its is for 5 GiB.
func TestTooLargeForStore(t *testing.T) {
	t.Parallel()
	v := newWorld(content)
	v.link = map[string]any{"href": store + "/object"}
	v.handlers[store+"/object"] = func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `<Error><Code>EntityTooLarge</Code><MaxSizeAllowed>5368709120</MaxSizeAllowed></Error>`)
	}
	client := v.client(t, git)
	err := client.Upload(t.Context(), ask(t, client, lfsapi.Upload, objectOf(content)), bytes.NewReader(content))
	require.ErrorIs(t, err, lfsapi.ErrTooLarge)
}
