package bucket

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/app-sre/git-partition-sync/internal/stream"
)

// ErrNotStore reports an answer that is not an object store's: the page of a portal or proxy, or nothing at all.
var ErrNotStore = errors.New("the answer is not an object store's")

// maxPageBytes is room for 1,000 keys of 1,024 bytes that are all escaped.
const maxPageBytes = 16 << 20

// pageDecoder replaces the SDK's decoder of ListObjectsV2. To that one, any document is an empty listing, also a
// sign-in page or an empty one, and it keeps as many keys as a page contains.
type pageDecoder struct {
	page listingPage
	sdk  middleware.DeserializeMiddleware
}

// install replaces the SDK's decoder.
func (d *pageDecoder) install(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) (err error) {
		d.sdk, err = stack.Deserialize.Swap("OperationDeserializer", d)
		return err
	})
}

// ID implements middleware.DeserializeMiddleware.
func (d *pageDecoder) ID() string { return "OperationDeserializer" }

// HandleDeserialize implements middleware.DeserializeMiddleware. It leaves the server's error answers to the SDK.
func (d *pageDecoder) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || resp.StatusCode != http.StatusOK {
		return d.sdk.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(
			func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
				return out, metadata, err
			}))
	}
	defer func() { _ = resp.Body.Close() }()
	out.Result = &s3.ListObjectsV2Output{}
	d.page, err = decodePage(resp.Body)
	return out, metadata, err
}

func decodePage(body io.Reader) (listingPage, error) {
	limited := &io.LimitedReader{R: body, N: maxPageBytes}
	reader := &stream.Reader{R: limited} // the XML decoder rewords why reading ended
	result, err := readResult(xml.NewDecoder(reader))
	switch {
	case limited.N == 0:
		return listingPage{}, fmt.Errorf("%w: a page of more than %d bytes", ErrBrokenListing, maxPageBytes)
	case reader.Failed() != nil:
		return listingPage{}, &interruptedError{reader.Failed()}
	case err != nil:
		return listingPage{}, err
	case !result.hasTruncated:
		return listingPage{}, fmt.Errorf("%w: a listing without IsTruncated", ErrNotStore)
	case result.keyCount >= 0 && result.keyCount != len(result.objects)+len(result.folders):
		return listingPage{}, fmt.Errorf("%w: a page has %d keys and says that it has %d", ErrBrokenListing, len(result.objects)+len(result.folders), result.keyCount)
	}
	return result.listingPage, result.decodeKeys()
}

// interruptedError is an answer that broke off. It makes the SDK retry.
type interruptedError struct{ err error }

func (e *interruptedError) Error() string        { return "the answer broke off: " + e.err.Error() }
func (e *interruptedError) Unwrap() error        { return e.err }
func (e *interruptedError) RetryableError() bool { return true }
