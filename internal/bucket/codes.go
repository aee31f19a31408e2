package bucket

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
)

// kindByCode maps S3's error codes to kinds of errors: those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and those that other stores send instead. The
// answer to a HEAD request has no body, and the SDK makes a code of its status.
var kindByCode = map[string]error{
	"NoSuchKey":               ErrNotFound,
	"NotFound":                ErrNotFound,
	"KeyTooLongError":         ErrKeyTooLong,
	"XMinioInvalidObjectName": ErrKeyTooLong,
	"NoSuchBucket":            ErrNoBucket,
	"PreconditionFailed":      ErrReplaced,
	"NoSuchUpload":            ErrAborted,

	"RequestTimeTooSkewed": ErrClock, // status 403, but it is the clock that is wrong
	"RequestInTheFuture":   ErrClock,
	"RequestNotYetValid":   ErrClock,

	"AccessDenied":          ErrAccessDenied,
	"ExpiredToken":          ErrExpired,
	"ExpiredTokenException": ErrExpired,
	"RequestExpired":        ErrExpired,
	"TokenRefreshRequired":  ErrExpired,
	"InvalidToken":          ErrAccessDenied,

	"PermanentRedirect":                  ErrRegion,
	"MovedPermanently":                   ErrRegion,
	"TemporaryRedirect":                  ErrRegion,
	"IllegalLocationConstraintException": ErrRegion,

	"QuotaExceeded":                  ErrFull,
	"XMinioAdminBucketQuotaExceeded": ErrFull,
	"XMinioStorageFull":              ErrFull,
	"InsufficientStorage":            ErrFull,
	"EntityTooLarge":                 ErrTooLarge,
	"InvalidObjectState":             ErrArchived,

	"SlowDown":                  httpclient.ErrRateLimited,
	"SlowDownRead":              httpclient.ErrRateLimited,
	"SlowDownWrite":             httpclient.ErrRateLimited,
	"TooManyRequests":           httpclient.ErrRateLimited,
	"RequestLimitExceeded":      httpclient.ErrRateLimited,
	"Throttling":                httpclient.ErrRateLimited,
	"ThrottlingException":       httpclient.ErrRateLimited,
	"BandwidthLimitExceeded":    httpclient.ErrRateLimited,
	"InternalError":             httpclient.ErrUnavailable, // also for a single key of a batch
	"ServiceUnavailable":        httpclient.ErrUnavailable,
	"XAmzContentSHA256Mismatch": ErrChecksum,
	"MalformedTrailerError":     ErrChecksum,
}

// kindByStatus maps HTTP statuses to kinds of errors, for answers whose code says nothing.
var kindByStatus = map[int]error{
	http.StatusUnauthorized:          ErrAccessDenied,
	http.StatusForbidden:             ErrAccessDenied,
	http.StatusRequestEntityTooLarge: ErrTooLarge,
	http.StatusInsufficientStorage:   ErrFull,
	http.StatusTooManyRequests:       httpclient.ErrRateLimited,
	http.StatusInternalServerError:   httpclient.ErrUnavailable,
	http.StatusBadGateway:            httpclient.ErrUnavailable,
	http.StatusServiceUnavailable:    httpclient.ErrUnavailable,
	http.StatusGatewayTimeout:        httpclient.ErrUnavailable,
}

// Unwrap returns the kind of error, or nil.
func (e *apiError) Unwrap() error {
	switch {
	case e.Status == http.StatusProxyAuthRequired:
		return httpclient.ErrProxyAuth
	case e.isHTML() && (e.Status < http.StatusInternalServerError || e.Status == http.StatusNetworkAuthenticationRequired):
		if e.Status == http.StatusRequestEntityTooLarge {
			return ErrTooLarge // most often nginx
		}
		return ErrIntermediary
	}
	return cmp.Or(e.kindByWording(), kindByCode[e.Code], kindByStatus[e.Status])
}

// kindByWording returns the kind for codes that have several meanings, which the message tells apart; or nil.
func (e *apiError) kindByWording() error {
	code, message := strings.ToLower(e.Code), strings.ToLower(e.Message)
	switch e.Code {
	case "AccessDenied":
		if strings.Contains(message, "kms:") {
			return ErrKMS
		}
	case "AuthorizationHeaderMalformed":
		if e.region() != "" || strings.Contains(message, "region") {
			return ErrRegion
		}
	case "InvalidRequest", "InvalidArgument", "NotImplemented", "InvalidHeader":
		for _, word := range []string{"checksum", "trailer", "aws-chunked", "a header you provided implies functionality"} {
			if strings.Contains(message, word) {
				return ErrChecksum
			}
		}
	}
	if strings.Contains(code, "kms") {
		return ErrKMS
	}
	return nil
}

// refusesBatchDelete tells the answers of stores that cannot delete several objects in one request, or need a
// checksum with it that the SDK does not send (Content-MD5).
func refusesBatchDelete(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case "MissingContentMD5", "InvalidRequest", "InvalidArgument", "NotImplemented", "MethodNotAllowed", "InvalidDigest", "BadDigest", "MalformedXML", "XAmzContentSHA256Mismatch":
		return true
	}
	return e.Status == http.StatusNotImplemented || e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusLengthRequired
}
