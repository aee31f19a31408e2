package bucket

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

var (
	// ErrNotFound reports that the object does not exist.
	ErrNotFound = errors.New("no such object")
	// ErrNoBucket reports that the bucket does not exist.
	ErrNoBucket = errors.New("no such bucket")
	// ErrAccessDenied reports that the credentials are wrong or lack a permission. Retrying does not help.
	ErrAccessDenied = errors.New("access denied")
	// ErrNoCredentials reports that there are no credentials to sign requests with.
	ErrNoCredentials = errors.New("no usable AWS credentials")
	// ErrExpired reports that the credentials were valid once.
	ErrExpired = errors.New("the AWS credentials have expired")
	// ErrRegion reports that the bucket is in another region than the one that requests were signed for.
	ErrRegion = errors.New("the bucket is in another region")
	// ErrClock reports that this machine's clock and the store's differ by too much.
	ErrClock = errors.New("the clocks differ by too much")
	// ErrKMS reports that the store may not or cannot use the key that encrypts objects.
	ErrKMS = errors.New("the encryption key was refused")
	// ErrChecksum reports that the store does not accept the SDK's form of checksums.
	ErrChecksum = errors.New("the store does not take the request's checksum")
	// ErrFull reports that the store, or the bucket's quota, has no room.
	ErrFull = errors.New("the object store is full")
	// ErrTooLarge reports that the store does not accept requests or objects of that size.
	ErrTooLarge = errors.New("too large for this object store")
	// ErrArchived reports that the object was moved to a storage class that cannot be read from.
	ErrArchived = errors.New("the object was archived")
	// ErrIntermediary reports that a proxy or portal before the store refused the request.
	ErrIntermediary = errors.New("something before the object store refused the request")
	// ErrKeyTooLong reports that the store does not accept a key of that length. S3 accepts 1,024 bytes; servers that
	// keep objects as files often no more than 255 between two slashes.
	ErrKeyTooLong = errors.New("key is too long for this object store")
	// ErrAborted reports that somebody else has ended an upload in parts: one of the same key that was first.
	ErrAborted = errors.New("the upload was aborted")
	// ErrReplaced reports that the object was replaced while it was being downloaded. Starting over gets the new one.
	ErrReplaced = errors.New("object was replaced during the download")
)

// The store's texts are cut after so many characters.
const (
	maxCodeLength    = 64
	maxMessageLength = 200
)

// apiError is S3's answer, without the operation, endpoint and retries that the SDK adds.
type apiError struct {
	Code, Message, RequestID string
	Status                   int         // HTTP; 0 for a single key of a batch
	Header                   http.Header // nil for a single key of a batch
}

// Error quotes the parts, because they are the server's words.
func (e *apiError) Error() string {
	text := fmt.Sprintf("%q: %q, request %q", foreign.Line(e.Code, maxCodeLength), foreign.Line(e.Message, maxMessageLength), foreign.Line(e.RequestID, maxCodeLength))
	if e.isHTML() || e.Code == "" {
		text = fmt.Sprintf("http status %d %s", e.Status, http.StatusText(e.Status))
		if server := e.Header.Get("Server"); server != "" {
			text += fmt.Sprintf(" from %q", foreign.Line(server, maxCodeLength))
		}
	}
	kind := e.Unwrap()
	switch {
	case kind == nil:
		return text
	case errors.Is(kind, ErrRegion) && e.region() != "":
		return fmt.Sprintf("%v, %q (%s)", kind, e.region(), text)
	case errors.Is(kind, ErrClock) && e.Header.Get("Date") != "":
		return fmt.Sprintf("%v: the store's is at %q (%s)", kind, foreign.Line(e.Header.Get("Date"), maxCodeLength), text)
	}
	return fmt.Sprintf("%v (%s)", kind, text)
}

// region is the bucket's region according to the store; empty if it does not say.
func (e *apiError) region() string {
	return foreign.Line(e.Header.Get("X-Amz-Bucket-Region"), maxCodeLength)
}

// isHTML tells that the answer is a page for people. Object stores answer with XML.
func (e *apiError) isHTML() bool {
	return strings.HasPrefix(strings.ToLower(e.Header.Get("Content-Type")), "text/html")
}

// RetryAfter is how long the store wants not to be asked; 0 if it did not say.
func (e *apiError) RetryAfter() time.Duration { return httpclient.RetryAfter(e.Header) }

// reduceError reduces an SDK error to what an operator needs. The rest of its text repeats the endpoint, the bucket
// and the key, and does not fit into a UI.
func reduceError(err error) error {
	if credentials, ok := errors.AsType[*credentialsError](err); ok {
		return credentials
	}
	if answer, ok := asAPIError(err); ok {
		return answer
	}
	if send, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return send.Err
	}
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return resp.Err // of a decoder of ours
	}
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		return op.Err
	}
	return err
}

// asAPIError finds the answer of the store, or of something before it, in an SDK error.
func asAPIError(err error) (*apiError, bool) {
	api, isAPI := errors.AsType[smithy.APIError](err)
	resp, isResponse := errors.AsType[*awshttp.ResponseError](err)
	isResponse = isResponse && resp.HTTPStatusCode() >= http.StatusMultipleChoices
	if !isAPI && !isResponse {
		return nil, false
	}
	e := &apiError{}
	if isAPI {
		e.Code, e.Message = api.ErrorCode(), api.ErrorMessage()
	}
	if isResponse {
		e.Status, e.RequestID, e.Header = resp.HTTPStatusCode(), resp.ServiceRequestID(), resp.HTTPResponse().Header
	}
	return e, true
}
