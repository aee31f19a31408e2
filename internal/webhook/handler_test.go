package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// endpoint is a handler, and what came of deliveries to it.
type endpoint struct {
	*Handler
	pushes   []Push
	outcomes []Outcome
	found    bool
	err      error
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newEndpoint(t testing.TB, secrets ...string) *endpoint {
	t.Helper()
	s, err := ParseSecrets(strings.Join(secrets, "\n"))
	require.NoError(t, err)
	e := &endpoint{found: true}
	e.Handler = NewHandler(s, func(_ context.Context, p Push) (bool, error) {
		e.pushes = append(e.pushes, p)
		return e.found, e.err
	}, func(o Outcome) { e.outcomes = append(e.outcomes, o) })
	e.clock = func() time.Time { return noon }
	return e
}

// post delivers a body, and returns the status and what became of it.
func (e *endpoint) post(t testing.TB, body []byte, header http.Header) (int, Outcome) {
	t.Helper()
	return e.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body)), header)
}

func (e *endpoint) send(t testing.TB, r *http.Request, header http.Header) (int, Outcome) {
	t.Helper()
	r.Header = header
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	for _, secret := range []string{token, signingText()} {
		require.NotContains(t, w.Body.String(), secret)
	}
	return w.Code, e.outcomes[len(e.outcomes)-1]
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func signed(body []byte, at time.Time, keys ...[]byte) http.Header {
	seconds := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, key := range keys {
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac(key, "msg_1."+seconds+"."+string(body))))
	}
	return headerOf("Webhook-Id", "msg_1", "Webhook-Timestamp", seconds, "Webhook-Signature", strings.Join(signatures, " "))
}

func TestWhoIsBelieved(t *testing.T) {
	push, gitea := recorded(t, "gitlab-push.json"), recorded(t, "gitea-push.json")
	other := []byte("another key of thirty-two bytes!")
	giteaHeader := func(signature []byte) http.Header {
		return headerOf("X-Gitea-Event", "push", "X-Gitea-Signature", hex.EncodeToString(signature))
	}
	with := func(h http.Header, name string, values ...string) http.Header {
		h = h.Clone()
		h[name] = values
		return h
	}
	for name, tt := range map[string]struct {
		body   []byte
		header http.Header
		want   Outcome
	}{
		"token":                    {push, headerOf("X-Gitlab-Token", token), Accepted},
		"second token":             {push, headerOf("X-Gitlab-Token", "another-token-16"), Accepted},
		"wrong token":              {push, headerOf("X-Gitlab-Token", "another-token-17"), Unauthorized},
		"no token":                 {push, headerOf(), Unauthorized},
		"empty token":              {push, headerOf("X-Gitlab-Token", ""), Unauthorized},
		"two tokens":               {push, with(headerOf(), "X-Gitlab-Token", token, token), Unauthorized},
		"signing key as token":     {push, headerOf("X-Gitlab-Token", signingText()), Unauthorized},
		"signed":                   {push, signed(push, noon, signingKey), Accepted},
		"signed with both keys":    {push, signed(push, noon, other, signingKey), Accepted},
		"signed and wrong token":   {push, with(signed(push, noon, signingKey), "X-Gitlab-Token", "wrong"), Accepted},
		"signed with another key":  {push, signed(push, noon, other), Unauthorized},
		"signed with a token":      {push, signed(push, noon, []byte(token)), Unauthorized},
		"signed, another body":     {gitea, signed(push, noon, signingKey), Unauthorized},
		"signed, another id":       {push, with(signed(push, noon, signingKey), "Webhook-Id", "msg_2"), Unauthorized},
		"signed, five minutes ago": {push, signed(push, noon.Add(-5*time.Minute), signingKey), Accepted},
		"signed, replayed":         {push, signed(push, noon.Add(-5*time.Minute-time.Second), signingKey), Unauthorized},
		"signed, in the future":    {push, signed(push, noon.Add(5*time.Minute+time.Second), signingKey), Unauthorized},
		"signed, replayed, with another time": {push, with(signed(push, noon.Add(-time.Hour), signingKey),
			"Webhook-Timestamp", strconv.FormatInt(noon.Unix(), 10)), Unauthorized},
		"signed, no time":          {push, with(signed(push, noon, signingKey), "Webhook-Timestamp", "now"), Unauthorized},
		"signed, v1a":              {push, with(signed(push, noon, signingKey), "Webhook-Signature", "v1a,"+base64.StdEncoding.EncodeToString(make([]byte, 32))), Unauthorized},
		"signed, cut":              {push, with(signed(push, noon, signingKey), "Webhook-Signature", "v1,AAAA"), Unauthorized},
		"signed, after eight more": {push, signed(push, noon, other, other, other, other, other, other, other, other, signingKey), Unauthorized},
		"gitea":                    {gitea, giteaHeader(mac([]byte(token), string(gitea))), Accepted},
		"gitea, wrong":             {gitea, giteaHeader(mac(other, string(gitea))), Unauthorized},
		"gitea, with signing key":  {gitea, giteaHeader(mac(signingKey, string(gitea))), Unauthorized},
		"gitea, another body":      {push, giteaHeader(mac([]byte(token), string(gitea))), Unauthorized},
		"gitea, not hexadecimal":   {gitea, headerOf("X-Gitea-Signature", "sha256=abc"), Unauthorized},
		"gitea, empty":             {gitea, headerOf("X-Gitea-Signature", ""), Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t, token, "another-token-16", signingText())
			status, outcome := e.post(t, tt.body, tt.header)
			require.Equal(t, tt.want, outcome)
			require.Equal(t, answers[tt.want].status, status)
			require.Equal(t, tt.want == Accepted, len(e.pushes) == 1)
		})
	}
}

// What a Gitea 1.26.0 has sent and signed is taken as it is.
func TestRecordedDeliveriesOfGitea(t *testing.T) {
	for name, signature := range map[string]string{
		"push":     "74212e9e7f72654956eecdcec91e1e7d29f03c74c54f927aaa7520bbe92a4333",
		"tag-push": "7da93b4f342d72291cb00784984e107e43f3e5d1f9c8fe35d2abf0f58a1e1a9f",
		"create":   "d2df6a86d03e03983cad584b61fd19baf2a4173f53a5f53ed3e53d2a89979764",
		"delete":   "ac3854f6db051e93fd0d16971df5435d57852b1f1105cd9a3262244025909553",
	} {
		e := newEndpoint(t, token)
		header := headerOf("X-Gitea-Event", strings.TrimPrefix(name, "tag-"), "X-Gitea-Signature", signature)
		_, outcome := e.post(t, recorded(t, "gitea-"+name+".json"), header)
		require.Equal(t, Accepted, outcome, name)
		require.Equal(t, "platform/router", e.pushes[0].Project)
	}
}

// Each scheme needs a secret of its own kind: without one, nothing proves anything.
func TestSchemesWithoutSecrets(t *testing.T) {
	push, gitea := recorded(t, "gitlab-push.json"), recorded(t, "gitea-push.json")
	_, outcome := newEndpoint(t, token).post(t, push, signed(push, noon, nil))
	require.Equal(t, Unauthorized, outcome)
	_, outcome = newEndpoint(t, signingText()).post(t, gitea, headerOf("X-Gitea-Event", "push", "X-Gitea-Signature", hex.EncodeToString(mac(nil, string(gitea)))))
	require.Equal(t, Unauthorized, outcome)
	_, outcome = newEndpoint(t, signingText()).post(t, push, headerOf("X-Gitlab-Token", ""))
	require.Equal(t, Unauthorized, outcome)
}

func TestWhatIsTaken(t *testing.T) {
	body := string(recorded(t, "gitlab-push.json"))
	request := func(method, path, body string) *http.Request {
		return httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	}
	chunked := request(http.MethodPost, "/", body)
	chunked.ContentLength = -1
	cut := request(http.MethodPost, "/", body)
	cut.Body = http.NoBody
	known := headerOf("X-Gitlab-Token", token)
	with := func(name, value string) http.Header { h := known.Clone(); h.Set(name, value); return h }
	for name, tt := range map[string]struct {
		request *http.Request
		header  http.Header
		status  int
		want    Outcome
	}{
		"push":          {request(http.MethodPost, "/", body), known, 202, Accepted},
		"charset":       {request(http.MethodPost, "/", body), with("Content-Type", "application/json; charset=utf-8"), 202, Accepted},
		"other event":   {request(http.MethodPost, "/", string(recorded(t, "gitlab-merge-request.json"))), known, 202, NoPush},
		"get":           {request(http.MethodGet, "/", ""), known, 400, NotADelivery},
		"put":           {request(http.MethodPut, "/", body), known, 400, NotADelivery},
		"other path":    {request(http.MethodPost, "/hooks", body), known, 400, NotADelivery},
		"form":          {request(http.MethodPost, "/", body), with("Content-Type", "application/x-www-form-urlencoded"), 400, NotADelivery},
		"compressed":    {request(http.MethodPost, "/", body), with("Content-Encoding", "gzip"), 400, NotADelivery},
		"chunked":       {chunked, known, 400, NotADelivery},
		"too large":     {request(http.MethodPost, "/", strings.Repeat(" ", maxBody+1)), known, 413, TooLarge},
		"large":         {request(http.MethodPost, "/", body+strings.Repeat(" ", maxBody-len(body))), known, 202, Accepted},
		"not JSON":      {request(http.MethodPost, "/", "<xml/>"), known, 400, Malformed},
		"nothing":       {request(http.MethodPost, "/", ""), known, 400, Malformed},
		"body is lost":  {cut, known, 400, Malformed},
		"unknown first": {request(http.MethodPost, "/", "<xml/>"), headerOf(), 401, Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			status, outcome := newEndpoint(t, token).send(t, tt.request, tt.header)
			require.Equal(t, tt.want, outcome)
			require.Equal(t, tt.status, status)
		})
	}
}

// What concerns no sync succeeds, as a forge would switch off the hook; what could not be handed on does not.
func TestWhatIsHandedOn(t *testing.T) {
	e := newEndpoint(t, token)
	body, header := recorded(t, "gitlab-push.json"), headerOf("X-Gitlab-Token", token)
	e.found = false
	status, outcome := e.post(t, body, header)
	require.Equal(t, http.StatusAccepted, status)
	require.Equal(t, NotConfigured, outcome)
	e.err = errors.New("connection refused")
	status, outcome = e.post(t, body, header)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, Unavailable, outcome)
}

// Who knows a secret is bounded, too; who knows none does not use up what is left for those.
func TestRate(t *testing.T) {
	e := newEndpoint(t, token)
	body := recorded(t, "gitlab-push.json")
	for range 2 * deliveryBurst {
		_, outcome := e.post(t, body, headerOf("X-Gitea-Signature", strings.Repeat("0", 64)))
		require.Equal(t, Unauthorized, outcome)
	}
	_, outcome := e.post(t, body, headerOf("X-Gitlab-Token", token))
	require.Equal(t, Accepted, outcome)
	refused := 0
	for range 2 * deliveryBurst {
		if status, outcome := e.post(t, body, headerOf("X-Gitlab-Token", token)); outcome == TooMany {
			require.Equal(t, http.StatusTooManyRequests, status)
			refused++
		}
	}
	require.Greater(t, refused, deliveryBurst/4)
}

// A member that is there twice says which syncs are looked at, and no more: each of them is one that is configured, or none.
func TestDuplicateMembers(t *testing.T) {
	e := newEndpoint(t, token)
	_, outcome := e.post(t, []byte(`{"object_kind":"push","ref":"refs/heads/a","REF":"refs/heads/b","project":{"path_with_namespace":"a/b"},"project":{"path_with_namespace":"c/d"}}`),
		headerOf("X-Gitlab-Token", token))
	require.Equal(t, Accepted, outcome)
	require.Len(t, e.pushes, 1)
	require.Len(t, e.pushes[0].Refs, 1)
}

func FuzzProofs(f *testing.F) {
	f.Add("msg_1", "1772625600", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)), strings.Repeat("0", 64), "{}")
	f.Add("", "-9223372036854775808", "v1, v1,,,", "zz", "")
	f.Fuzz(func(t *testing.T, id, timestamp, signature, gitea, body string) {
		s, err := ParseSecrets(token + " " + signingText())
		require.NoError(t, err)
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}, "X-Gitea-Signature": {gitea}}
		for _, p := range s.proofs(h, noon) {
			require.False(t, p.holds([]byte(body)), "who knows no secret proves nothing")
		}
	})
}

// A body's memory is given back when it was looked at, whatever came of it.
func TestBodiesGiveWay(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, token)
	body := bytes.Repeat([]byte(" "), maxBody)
	for range 2 * maxBodies / maxBody {
		_, outcome := e.post(t, body, headerOf("X-Gitea-Signature", strings.Repeat("0", 64)))
		require.Equal(t, Unauthorized, outcome)
	}
}
