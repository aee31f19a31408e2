package bucket

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

var (
	// ErrNotFound reports that the object does not exist.
	ErrNotFound = errors.New("no such object")
	// ErrNoBucket reports that the bucket does not exist.
	ErrNoBucket = errors.New("no such bucket")
	// ErrAccessDenied reports that the credentials are wrong or lack a
	// permission. Retrying does not help.
	ErrAccessDenied = errors.New("access denied")
	// ErrKeyTooLong reports that the store does not take a key of that length: S3 takes 1,024
	// bytes, servers that keep objects as files often no more than 255 between two slashes.
	ErrKeyTooLong = errors.New("key is too long for this object store")
	// ErrReplaced reports that the object was replaced while it was being
	// downloaded. Starting over gets the new one.
	ErrReplaced = errors.New("object was replaced during the download")
)

// apiError is what S3 answered, without the SDK's operation, endpoint and
// retry prose.
type apiError struct {
	Code, Message, RequestID string
	Status                   int // HTTP; 0 for a single key of a batch
}

// The parts are the server's words.
func (e *apiError) Error() string {
	text := fmt.Sprintf("%q: %q, request %q", foreign.Line(e.Code, 64), foreign.Line(e.Message, 300), foreign.Line(e.RequestID, 64))
	if kind := e.Unwrap(); kind != nil {
		return fmt.Sprintf("%v (%s)", kind, text)
	}
	return text
}

// Unwrap returns the sentinel for the error's code, or nil. The codes are
// those of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html;
// the answer to a HEAD request has no body, and the SDK makes a code of its status.
func (e *apiError) Unwrap() error {
	switch e.Code {
	case "NoSuchKey", "NotFound":
		return ErrNotFound
	case "KeyTooLongError", "XMinioInvalidObjectName":
		return ErrKeyTooLong
	case "NoSuchBucket":
		return ErrNoBucket
	case "PreconditionFailed":
		return ErrReplaced
	case "RequestTimeTooSkewed":
		return nil // status 403, but it is the clock that is wrong
	case "AccessDenied", "ExpiredToken", "InvalidToken":
		return ErrAccessDenied
	}
	if e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized {
		return ErrAccessDenied
	}
	return nil
}

// cause reduces an SDK error to what an operator needs. The rest of the text
// repeats the endpoint, the bucket and the key, and does not fit a UI.
func cause(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e := &apiError{Code: api.ErrorCode(), Message: api.ErrorMessage()}
		if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
			e.Status, e.RequestID = resp.HTTPStatusCode(), resp.ServiceRequestID()
		}
		return e
	}
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok && resp.ResponseError != nil {
		return resp.Err // of a decoder of ours
	}
	if send, ok := errors.AsType[*url.Error](err); ok {
		return send.Err
	}
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		return op.Err
	}
	return err
}

func requestID(metadata middleware.Metadata) string {
	id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
	return id
}
