package bucket

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/stream"
)

// ErrNotStore reports that what answers is not an object store: a portal's or a proxy's page, or nothing at all.
var ErrNotStore = errors.New("the answer is not an object store's")

// maxPageBytes is what 1,000 keys of 1,024 bytes take when all of them are escaped, with room.
const maxPageBytes = 16 << 20

// pageDecoder reads the answers of ListObjectsV2 in place of the SDK, to which any document, also a sign-in page or an
// empty one, is an empty listing, and which keeps as many keys as a page may have.
type pageDecoder struct {
	page listingPage
	sdk  middleware.DeserializeMiddleware
}

// install puts the decoder into the place of the SDK's.
func (d *pageDecoder) install(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) (err error) {
		d.sdk, err = stack.Deserialize.Swap("OperationDeserializer", d)
		return err
	})
}

// ID implements middleware.DeserializeMiddleware.
func (d *pageDecoder) ID() string { return "OperationDeserializer" }

// HandleDeserialize implements middleware.DeserializeMiddleware. Errors that the server sends are the SDK's to read.
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

// listBucketResult are the parts of a page before its keys are decoded.
type listBucketResult struct {
	listingPage
	encoding     string
	hasTruncated bool // IsTruncated was there, which all servers send
	keyCount     int  // -1 when the server does not say
}

func decodePage(body io.Reader) (listingPage, error) {
	limited := &io.LimitedReader{R: body, N: maxPageBytes}
	reader := &stream.Reader{R: limited} // the XML decoder has words of its own for why reading ended
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
	case result.keyCount >= 0 && result.keyCount != len(result.objects):
		return listingPage{}, fmt.Errorf("%w: a page has %d keys and says that it has %d", ErrBrokenListing, len(result.objects), result.keyCount)
	}
	return result.listingPage, result.decodeKeys()
}

func readResult(decoder *xml.Decoder) (listBucketResult, error) {
	result := listBucketResult{keyCount: -1}
	root, err := startElement(decoder)
	switch {
	case err == io.EOF:
		return result, fmt.Errorf("%w: it is empty", ErrNotStore)
	case err != nil:
		return result, fmt.Errorf("%w: %w", ErrNotStore, err)
	case root.Name.Local != "ListBucketResult":
		return result, fmt.Errorf("%w: it begins with <%s>", ErrNotStore, foreign.Line(root.Name.Local, 40))
	}
	for {
		token, err := decoder.Token()
		if err != nil {
			return result, fmt.Errorf("%w: a listing that is cut off or damaged: %w", ErrBrokenListing, err)
		}
		switch element := token.(type) {
		case xml.EndElement:
			return result, nil
		case xml.StartElement:
			if err := result.readMember(decoder, element); err != nil {
				return result, fmt.Errorf("%w: element <%s>: %w", ErrBrokenListing, foreign.Line(element.Name.Local, 40), err)
			}
		}
	}
}

func startElement(decoder *xml.Decoder) (xml.StartElement, error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if start, ok := token.(xml.StartElement); ok {
			return start, nil
		}
	}
}

func (r *listBucketResult) readMember(decoder *xml.Decoder, element xml.StartElement) error {
	if element.Name.Local == "Contents" {
		if len(r.objects) == pageSize {
			return fmt.Errorf("more than %d keys were not asked for", pageSize)
		}
		object, err := readObject(decoder)
		r.objects = append(r.objects, object)
		return err
	}
	text, err := readText(decoder)
	if err != nil {
		return err
	}
	switch element.Name.Local {
	case "IsTruncated":
		r.hasTruncated = true
		r.truncated, err = strconv.ParseBool(text)
	case "NextContinuationToken":
		r.nextToken = text
	case "EncodingType":
		r.encoding = text
	case "KeyCount":
		r.keyCount, err = strconv.Atoi(text)
	}
	return err
}

func readObject(decoder *xml.Decoder) (o ObjectInfo, err error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return o, err
		}
		element, isStart := token.(xml.StartElement)
		if _, isEnd := token.(xml.EndElement); isEnd {
			return o, nil
		}
		if !isStart {
			continue
		}
		text, err := readText(decoder)
		if err != nil {
			return o, err
		}
		switch element.Name.Local {
		case "Key":
			o.Key = text
		case "Size":
			o.Size, err = strconv.ParseInt(text, 10, 64)
		case "ETag":
			o.ETag = text
		case "LastModified":
			o.Modified, err = time.Parse(time.RFC3339Nano, text)
		}
		if err != nil {
			return o, err
		}
	}
}

// readText reads to the end of the element, without what its own elements hold.
func readText(decoder *xml.Decoder) (string, error) {
	var text strings.Builder // comments may cut a text into as many pieces as it has bytes
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.CharData:
			text.Write(token)
		case xml.StartElement:
			if err := decoder.Skip(); err != nil {
				return "", err
			}
		case xml.EndElement:
			return text.String(), nil
		}
	}
}

// decodeKeys decodes the keys only if the server says that it encoded them: not all
// servers know the encoding, and a plain + must then stay one.
func (r *listBucketResult) decodeKeys() error {
	for i := range r.objects {
		o := &r.objects[i]
		if r.encoding == "url" {
			key, err := url.QueryUnescape(o.Key)
			if err != nil {
				return fmt.Errorf("%w: malformed key %s", ErrBrokenListing, foreign.Quote(o.Key, 300))
			}
			o.Key = key
		}
		if o.Key == "" || o.Size < 0 {
			return fmt.Errorf("%w: an object without a key or size", ErrBrokenListing)
		}
	}
	return nil
}

// interruptedError is an answer that broke off. The SDK then asks again.
type interruptedError struct{ err error }

func (e *interruptedError) Error() string        { return "the answer broke off: " + e.err.Error() }
func (e *interruptedError) Unwrap() error        { return e.err }
func (e *interruptedError) RetryableError() bool { return true }
