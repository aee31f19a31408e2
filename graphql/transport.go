package graphql

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Khan/genqlient/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// maxAnswer bounds the answer in bytes, after decompression. A sync takes some 200
// of them, and a component without one 20.
const maxAnswer = 64 << 20

const maxRedirects = 10

// transport is the graphql.Client that the generated code sends its operation to.
type transport struct {
	http               *http.Client
	url                string
	username, password string
	query              string
	redact             *strings.Replacer
}

func newTransport(opts Options) *transport {
	client := http.Client{}
	if opts.HTTP != nil {
		client = *opts.HTTP
	}
	client.CheckRedirect = checkRedirect
	return &transport{
		http:     &client,
		url:      opts.URL,
		username: opts.Username,
		password: opts.Password,
		query:    opts.Query,
		redact:   redacter(opts.Username, opts.Password),
	}
}

// redacter masks the credentials in the server's words: error pages echo requests.
func redacter(username, password string) *strings.Replacer {
	if password == "" {
		return strings.NewReplacer()
	}
	basic := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	return strings.NewReplacer(basic, "***", password, "***")
}

// checkRedirect follows redirects within the server only. net/http would keep
// the credentials for a subdomain, another port and plain http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Host != first.Host {
		return fmt.Errorf("redirect to another host refused: %q", req.URL.Host)
	}
	if first.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("redirect from https to http refused")
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("stopped after %d redirects", len(via)-1)
	}
	return nil
}

// MakeRequest implements graphql.Client. It sends no operation name: there is
// one operation only, and servers differ on what an empty name means.
func (t *transport) MakeRequest(ctx context.Context, req *graphql.Request, resp *graphql.Response) error {
	query := req.Query
	if t.query != "" {
		query = t.query
	}
	answer, err := t.post(ctx, query)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, resp); err != nil {
		// The decoder's error quotes the answer as well.
		return fmt.Errorf("graphql server's answer is not a graphql response: %s: %q", t.excerpt(err.Error()), t.excerpt(string(answer)))
	}
	return t.reported(resp.Errors)
}

// post returns the body of a 2xx answer.
func (t *transport) post(ctx context.Context, query string) ([]byte, error) {
	resp, err := t.send(ctx, query)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written

	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// What can be read of an error page is good enough.
		page, _ := io.ReadAll(io.LimitReader(resp.Body, maxScanned))
		return nil, &StatusError{Code: resp.StatusCode, Body: t.excerpt(string(page))}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxAnswer))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fmt.Errorf("graphql server's answer exceeds %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return nil, fmt.Errorf("read graphql server's answer: %w", err)
	}
	return body, nil
}

func (t *transport) send(ctx context.Context, query string) (*http.Response, error) {
	body, err := json.Marshal(struct {
		Query string `json:"query"`
	}{query})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if t.username != "" || t.password != "" {
		req.SetBasicAuth(t.username, t.password)
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("query graphql server %q: %w", req.URL.Host, withoutURL(err))
	}
	return resp, nil
}

// withoutURL drops what net/http adds to its errors: the URL, which a redirect
// may have filled with tokens.
func withoutURL(err error) error {
	var urlError *url.Error
	if errors.As(err, &urlError) {
		return urlError.Err
	}
	return err
}

// reported fails an answer that lists errors even when it has data: the data is
// null where something failed (GraphQL, section 6.4.4), which reads like a sync
// that is no longer wanted.
func (t *transport) reported(list gqlerror.List) error {
	if len(list) == 0 {
		return nil
	}
	first := list[0]
	if first == nil {
		first = &gqlerror.Error{}
	}
	message := first.Message
	if len(first.Path) > 0 {
		message = first.Path.String() + ": " + message
	}
	return fmt.Errorf("graphql server reported %d errors, the first: %q", len(list), t.excerpt(message))
}

func (t *transport) excerpt(text string) string {
	return excerpt(t.redact.Replace(text[:min(len(text), maxScanned)]))
}
