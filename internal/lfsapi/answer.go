package lfsapi

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfs"
)

const (
	maxBatchSize = 4 << 20 // bytes of an answer to a batch: 40,000 for each object

	// maxMessage is how many characters of a server's message an error keeps.
	maxMessage = 200
	// expiryMargin is how long before its end a link is taken for expired.
	expiryMargin = 30 * time.Second
	// maxExpiry bounds what a server says of a link's life.
	maxExpiry = 365 * 24 * time.Hour
)

// objectAnswer is an object in the answer to a batch.
type objectAnswer struct {
	OID           string
	Size          *int64
	Authenticated bool
	Actions       map[string]*action
	Error         *struct {
		Code    int
		Message string
	}
}

// action is a link as the server gives it.
type action struct {
	Href      string
	Header    map[string]string
	ExpiresIn float64 `json:"expires_in"` // seconds
	ExpiresAt string  `json:"expires_at"` // RFC 3339
}

// readAnswer returns the answer to a batch, if it is one.
func (c *Client) readAnswer(resp *http.Response, op Operation) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, newStatusError(resp, ofBatch, op, c.mask, c.options.Forge.RequestID())
	}
	given := resp.Header.Get("Content-Type")
	if kind, _, _ := mime.ParseMediaType(given); !isJSON(kind) {
		return nil, fmt.Errorf("%w: its content type is %q", ErrNotLFS, c.mask.Line(given, 100))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBatchSize+1))
	switch {
	case err != nil:
		return nil, c.mask.Error(fmt.Errorf("read the answer: %w", httpclient.DescribeError(err)), maxExcerpt)
	case len(text) > maxBatchSize:
		return nil, fmt.Errorf("%w: it exceeds %d bytes", ErrNotLFS, maxBatchSize)
	}
	return text, nil
}

// parseAnswer returns what an answer says of the objects, in their order. It has to have each of them once, and nothing
// else.
func (c *Client) parseAnswer(text []byte, b batch, objects []lfs.Object) ([]Transfer, error) {
	var answer struct {
		Transfer string
		HashAlgo string                      `json:"hash_algo"`
		Objects  [maxBatch + 1]*objectAnswer // what there is more of takes no memory
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrNotLFS, c.mask.Line(err.Error(), maxExcerpt))
	}
	given := answer.Objects[:]
	for len(given) > 0 && given[len(given)-1] == nil {
		given = given[:len(given)-1]
	}
	switch {
	case answer.Transfer != "" && answer.Transfer != "basic":
		return nil, fmt.Errorf("%w: it wants transfers of the kind %q, which were not offered", ErrNotLFS, c.mask.Line(answer.Transfer, 40))
	case answer.HashAlgo != "" && answer.HashAlgo != "sha256":
		return nil, fmt.Errorf("%w: it names objects by %q, not by sha256", ErrNotLFS, c.mask.Line(answer.HashAlgo, 40))
	case len(given) != len(objects):
		return nil, fmt.Errorf("%w: it has %d objects for %d", ErrNotLFS, len(given), len(objects))
	}
	byOID := make(map[string]*objectAnswer, len(objects))
	for _, o := range given {
		if o != nil {
			byOID[o.OID] = o
		}
	}
	transfers := make([]Transfer, len(objects))
	for i, o := range objects {
		found, ok := byOID[o.OID]
		if !ok {
			return nil, fmt.Errorf("%w: it says nothing of the object %s", ErrNotLFS, o.OID)
		}
		transfers[i] = c.transfer(b, o, *found)
	}
	return transfers, nil
}

// transfer reads what a server says of an object that it was asked about.
func (c *Client) transfer(from batch, asked lfs.Object, answer objectAnswer) Transfer {
	t := Transfer{Object: asked, project: from.project, op: from.op}
	switch {
	case answer.Error != nil:
		status := httpclient.Status{Code: answer.Error.Code, Message: words(c.mask, answer.Error.Message)}
		t.err = &StatusError{status, kindOf(ofObject, from.op, status.Code, status.Message)}
		return t
	case answer.Size != nil && *answer.Size != asked.Size:
		t.err = fmt.Errorf("%w: the server says that it has %d bytes, not %d", ErrMismatch, *answer.Size, asked.Size)
		return t
	}
	if t.link, t.err = c.newLink(from, answer, string(from.op)); t.err != nil {
		return t
	}
	if from.op == Upload && t.link != nil {
		t.verify, t.err = c.newLink(from, answer, "verify")
	}
	if from.op == Download && t.link == nil {
		t.err = fmt.Errorf("%w: it gives no link to it", ErrMissing)
	}
	return t
}

// expiry returns when the link ends; zero means that the server does not say.
func (a *action) expiry(now time.Time) time.Time {
	if a.ExpiresIn != 0 { // it goes before the other, as clocks differ
		seconds := min(max(a.ExpiresIn, -1), maxExpiry.Seconds())
		return now.Add(time.Duration(seconds * float64(time.Second)))
	}
	at, err := time.Parse(time.RFC3339, a.ExpiresAt)
	if err != nil {
		return time.Time{} // a refusal tells, too
	}
	return at
}
