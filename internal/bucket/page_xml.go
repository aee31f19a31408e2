package bucket

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/app-sre/git-partition-sync/internal/foreign"
)

// listBucketResult is a page before its keys are decoded.
type listBucketResult struct {
	listingPage
	encoding     string
	hasTruncated bool // IsTruncated was sent, as all servers do
	keyCount     int  // -1 when the server does not say
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
	if name := element.Name.Local; name == "Contents" || name == "CommonPrefixes" {
		return r.readEntry(decoder, element)
	}
	var text string
	err := decoder.DecodeElement(&text, &element)
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

// readEntry reads an object or a folder. Servers that have no folder may send an empty one.
func (r *listBucketResult) readEntry(decoder *xml.Decoder, element xml.StartElement) error {
	if len(r.objects)+len(r.folders) == pageSize {
		return fmt.Errorf("more than %d keys were not asked for", pageSize)
	}
	if element.Name.Local == "Contents" {
		object, err := readObject(decoder, element)
		r.objects = append(r.objects, object)
		return err
	}
	var sent struct{ Prefix string }
	err := decoder.DecodeElement(&sent, &element)
	if sent.Prefix != "" {
		r.folders = append(r.folders, sent.Prefix)
	}
	return err
}

func readObject(decoder *xml.Decoder, element xml.StartElement) (o ObjectInfo, err error) {
	var sent struct {
		Key, ETag          string
		Size, LastModified *string // nil when it was not sent
	}
	if err := decoder.DecodeElement(&sent, &element); err != nil {
		return o, err
	}
	o.Key, o.ETag = sent.Key, sent.ETag
	if sent.Size != nil {
		if o.Size, err = strconv.ParseInt(*sent.Size, 10, 64); err != nil {
			return o, err
		}
	}
	if sent.LastModified != nil {
		o.Modified, err = time.Parse(time.RFC3339Nano, *sent.LastModified)
	}
	return o, err
}

// decodeKeys decodes the keys only if the server says that it encoded them. Not all servers know the encoding, and
// there a plain + must stay a +.
func (r *listBucketResult) decodeKeys() error {
	for i := range r.objects {
		o := &r.objects[i]
		if err := r.decodeKey(&o.Key); err != nil {
			return err
		}
		if o.Key == "" || o.Size < 0 {
			return fmt.Errorf("%w: an object without a key or size", ErrBrokenListing)
		}
	}
	for i := range r.folders {
		if err := r.decodeKey(&r.folders[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *listBucketResult) decodeKey(key *string) error {
	if r.encoding != "url" {
		return nil
	}
	decoded, err := url.QueryUnescape(*key)
	if err != nil {
		return fmt.Errorf("%w: malformed key %s", ErrBrokenListing, foreign.Quote(*key, 300))
	}
	*key = decoded
	return nil
}
