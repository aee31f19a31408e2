package activities

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlab"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// newEcho starts a server that repeats the whole request in an error page, as proxies do for
// those who debug them.
func newEcho(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s %s %s %s", r.Header.Get("Authorization"), password, r.URL, r.Header)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// breakWith has both sides talk to other servers, and present the secret to them.
func (r *rig) breakWith(server, secret string) {
	r.Helper()
	u, err := url.Parse(server)
	require.NoError(r, err)
	git := smarthttp.New(smarthttp.Options{Forge: gitlab.At(u), Username: "bot", Password: secret})
	r.producer.Source, r.consumer.Destination = git, git
	r.producer.Syncs, err = graphql.New(graphql.Options{URL: u, Username: "bot", Password: secret})
	require.NoError(r, err)
	b, err := bucket.Open(r.Context(), bucket.Options{Name: "b", PathStyle: true}, func(o *config.LoadOptions) error {
		o.BaseEndpoint, o.Region, o.RetryMaxAttempts = server, "us-east-1", 1
		o.Credentials = credentials.NewStaticCredentialsProvider("id", secret, "session-"+secret)
		return nil
	})
	require.NoError(r, err)
	r.producer.Bucket, r.consumer.Bucket = b, b
}

// What fails in a step, whoever is to blame, does not tell the credentials.
func TestFailuresTellNoSecrets(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]string{
		"nobody listens":        "http://127.0.0.1:1", // no port that another test could be given
		"repeats and forbids":   newEcho(t, http.StatusForbidden),
		"repeats and is broken": newEcho(t, http.StatusInternalServerError),
		"repeats what is asked": newEcho(t, http.StatusOK),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret := rand.Text()
			for step, err := range failures(t, server, secret) {
				require.Error(t, err, step)
				text := fmt.Sprintf("%+v", err)
				require.NotContains(t, text, secret, step)
				for _, user := range []string{"bot:", "", "-", "--"} {
					encoded := base64.StdEncoding.EncodeToString([]byte(user + secret))
					require.NotContains(t, text, encoded[8:len(encoded)-8], step)
				}
			}
		})
	}
}

// failures runs each step after everything around it has broken.
func failures(t *testing.T, server, secret string) map[string]error {
	t.Helper()
	r := newTrustedRig(t)
	r.commit(random(20_000))
	r.produce()
	push := r.planPushes().Moves[0]
	received := must(r, r.download, push)
	decrypted := must(r, r.decrypt, received)
	r.commit("two")
	cloned := must(r, r.clone, must(r, r.producer.PlanUploads, PlanRequest{}).Moves[0])
	packaged := must(r, r.pack, cloned)
	encrypted := must(r, r.encrypt, packaged)

	destination := r.consumer.Destination
	r.breakWith(server, secret)
	out := map[string]error{}
	_, out["PlanUploads"] = execute(r, r.producer.PlanUploads, PlanRequest{})
	graphQL := r.producer.Syncs
	r.producer.Syncs = &listed{syncs: []project.Sync{r.sync}}
	_, out["PlanUploads with syncs"] = execute(r, r.producer.PlanUploads, PlanRequest{})
	r.producer.Syncs = graphQL
	_, out["Clone"] = execute(r, r.clone, plan.Upload{Sync: r.sync})
	_, out["Upload"] = execute(r, r.upload, encrypted)
	_, out["Package"] = execute(r, r.pack, cloned)      // the bundle has been removed
	_, out["Encrypt"] = execute(r, r.encrypt, packaged) // so has the archive's head
	_, out["Prune"] = execute(r, r.producer.Prune, PruneRequest{})
	_, out["PlanPushes"] = execute(r, r.consumer.PlanPushes, PlanRequest{})
	_, out["Push"] = execute(r, r.push, decrypted)
	r.receive(received, nil)
	_, out["Decrypt"] = execute(r, r.decrypt, received)
	_, out["Download from Git"] = execute(r, r.download, push)
	r.consumer.Destination = destination
	_, out["Download from the bucket"] = execute(r, r.download, push)
	return out
}
