package lfsapi

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// maxErrorBody is how many bytes of an answer are read for its message.
const maxErrorBody = 8 << 10

// newStatusError reads an answer that is no success.
func newStatusError(resp *http.Response, where place, op Operation, mask *foreign.Mask, requestID string) error {
	status := httpclient.NewStatus(resp, mask, requestID)
	body := readBriefly(resp.Body, maxErrorBody)
	status.Message = words(mask, messageOf(resp.Header.Get("Content-Type"), body))
	return &StatusError{status, kindOf(where, op, status.Code, status.Message)}
}

const (
	// briefly is how long an answer is read that only explains a status.
	briefly = 10 * time.Second
	// drainLimit is how much is read of an answer without interest, so that its connection can be used again.
	drainLimit = 64 << 10
)

// readBriefly returns the beginning of a body, which it closes if that takes too long.
func readBriefly(body io.ReadCloser, limit int64) []byte {
	defer time.AfterFunc(briefly, func() { _ = body.Close() }).Stop()
	text, _ := io.ReadAll(io.LimitReader(body, limit)) // after an error, what came before is still of use
	return text
}

func drain(body io.ReadCloser) { readBriefly(body, drainLimit) }

// storeCode is what an object store's error begins with. Its message may repeat the signed request.
var storeCode = regexp.MustCompile(`<Code>([A-Za-z0-9.]{1,60})</Code>`)

// messageOf returns what an answer says for people: the message of the batch API, a text, or an object store's code.
func messageOf(contentType string, body []byte) string {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case isJSON(kind):
		var answer struct{ Message string }
		if json.Unmarshal(body, &answer) == nil {
			return answer.Message
		}
	case kind == "text/plain":
		return string(body)
	case kind == "application/xml", kind == "text/xml":
		if match := storeCode.FindSubmatch(body); match != nil {
			return string(match[1])
		}
	}
	return ""
}

// addressDetail is what may be secret of an address in a text.
var addressDetail = regexp.MustCompile(`(?i)(https?://[^\s/?#"']*)[/?#][^\s"']*`)

// words makes a server's message fit to be shown. Of an address in it, the host is left.
func words(mask *foreign.Mask, message string) string {
	clean := mask.Line(message, maxErrorBody) // a cut address could not be told any more
	return mask.Line(addressDetail.ReplaceAllString(clean, "$1/…"), maxMessage)
}

// isJSON accepts what git-lfs accepts.
func isJSON(kind string) bool { return kind == mediaType || kind == "application/json" }
