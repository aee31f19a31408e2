package service

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/config"
)

// world has the servers that a worker talks to, besides Temporal, and what each of them was asked last.
type world struct {
	git, graphql, store *recorder
	put                 *http.Request // the last request to the store that stored something
	api                 *http.Request // the last to git's API
	ca                  string        // a file with the authority of git and graphql
	credentials         aws.Credentials
	region              string
}

type recorder struct {
	*httptest.Server
	last *http.Request
	body string
}

// record serves with a certificate that nobody knows, unless it is plain.
func record(t *testing.T, plain bool, answer http.HandlerFunc) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.last, r.body = request, string(body)
		answer(w, request)
	}))
	if plain {
		r.Start()
	} else {
		r.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		r.StartTLS()
	}
	t.Cleanup(r.Close)
	return r
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		region:      "full-region-1",
		credentials: aws.Credentials{AccessKeyID: "AKIDFULL", SecretAccessKey: "full/secret+key", SessionToken: "full-session=="},
	}
	w.git = record(t, false, renaming)
	w.graphql = record(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"data":{"apps_v1":[]}}`))
	})
	w.store = record(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "6")
		}
		w.Header().Set("ETag", `"full"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	})
	w.ca = write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.git.Certificate().Raw})))
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "") // what the SDK finds by itself arrives without us
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	// For an IP address the SDK puts the bucket into the path whatever it is told.
	t.Setenv("AWS_ENDPOINT_URL_S3", strings.Replace(w.store.URL, "127.0.0.1", "localhost", 1))
	return w
}

// renaming is a GitLab on which two projects were renamed.
func renaming(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/gitlab/mirror/one.git/info/refs":
		http.Redirect(w, r, "/gitlab/mirror/new.git/info/refs", http.StatusMovedPermanently)
	case "/gitlab/mirror/two.git/info/refs":
		http.Redirect(w, r, "/gitlab/other/new.git/info/refs", http.StatusMovedPermanently)
	case "/gitlab/mirror/one.git/info/lfs/objects/batch":
		http.Redirect(w, r, "/gitlab/mirror/new.git/info/lfs/objects/batch", http.StatusPermanentRedirect)
	case "/gitlab/mirror/two.git/info/lfs/objects/batch":
		http.Redirect(w, r, "/gitlab/other/new.git/info/lfs/objects/batch", http.StatusPermanentRedirect)
	default:
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		_, _ = w.Write([]byte("0000"))
	}
}

var signedHeaders = regexp.MustCompile(`SignedHeaders=([^,]+)`)

// signature tells whether the store's last request was signed with the world's credentials, for its region.
func (w *world) signature(t *testing.T) string {
	t.Helper()
	got := w.store.last
	again, err := http.NewRequest(got.Method, "http://"+got.Host+got.URL.RequestURI(), nil)
	require.NoError(t, err)
	names := signedHeaders.FindStringSubmatch(got.Header.Get("Authorization"))
	require.NotNil(t, names, "it is not signed at all")
	for name := range strings.SplitSeq(names[1], ";") {
		if name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = got.Header.Values(name)
		}
	}
	at, err := time.Parse("20060102T150405Z", got.Header.Get("X-Amz-Date"))
	require.NoError(t, err)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	require.NoError(t, signer.SignHTTP(t.Context(), w.credentials, again, got.Header.Get("X-Amz-Content-Sha256"), "s3", w.region, at))
	if got.Header.Get("Authorization") != again.Header.Get("Authorization") {
		return "got " + got.Header.Get("Authorization") + ", expected " + again.Header.Get("Authorization")
	}
	return "as expected"
}

func basic(r *http.Request) string {
	user, password, _ := r.BasicAuth()
	return user + ":" + password
}

// The bucket at an address of this machine is nothing to warn of.
func TestPlainStoreIsWarnedOfAtTheStart(t *testing.T) {
	w := newWorld(t)
	for endpoint, want := range map[string]string{w.store.URL: "", "http://s3.example.com": "the bucket is reached over plain HTTP"} {
		t.Setenv("AWS_ENDPOINT_URL_S3", endpoint)
		var out bytes.Buffer
		_, err := role{Common: config.Common{Bucket: "b", Region: "us-east-1"}}.openBucket(t.Context(), slog.New(slog.NewTextHandler(&out, nil)))
		require.NoError(t, err)
		require.Contains(t, out.String(), want)
		require.Equal(t, want == "", out.Len() == 0)
	}
}
