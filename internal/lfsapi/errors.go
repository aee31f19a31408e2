package lfsapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// Errors that a caller tells apart with errors.Is. Those of connections and silence are in package httpclient. Those that
// mean the same as in Git's protocol are the same.
var (
	// ErrDisabled says that there is no LFS: not at the server, or not in the project. GitLab gives the same answer for a
	// project that the credentials may not read.
	ErrDisabled = errors.New("LFS is not enabled")
	// ErrMissing says that the server does not have an object to download.
	ErrMissing = errors.New("the server does not have the LFS object")
	// ErrMismatch says that the server has something else in the object's place.
	ErrMismatch = errors.New("not the LFS object's content")
	// ErrTooLarge is an answer of 413, or what S3 says of more than 5 GiB.
	ErrTooLarge = errors.New("LFS object too large for the server")
	// ErrFull is an answer of 507 or 509, or of another status with words about a quota.
	ErrFull = errors.New("the server's storage or quota is used up")
	// ErrRejected is any other refusal.
	ErrRejected = errors.New("rejected by the LFS server")
	// ErrLinkRefused is an answer of 401 or 403 to a link that the server has just given, twice.
	ErrLinkRefused = errors.New("the LFS server's own link is refused")
	// ErrUnsafeLink says that a link, its headers or a redirect break the rules of docs/lfs.md.
	ErrUnsafeLink = errors.New("LFS link not followed")
	// ErrNotLFS says that something else answered.
	ErrNotLFS = errors.New("answer is not from an LFS server")

	ErrUnauthorized = smarthttp.ErrUnauthorized
	ErrForbidden    = smarthttp.ErrForbidden
	ErrServerFailed = smarthttp.ErrServerFailed
	// ErrMovedElsewhere is a redirect within the server to a project that Options.AllowRedirectTo does not allow.
	ErrMovedElsewhere = smarthttp.ErrMovedElsewhere
	// ErrBusy is an answer of 429, after as much patience as Limits.Pause allows. It may pass.
	ErrBusy = httpclient.ErrRateLimited
	// ErrUnavailable is an answer of 408, 502, 503 or 504. It may pass.
	ErrUnavailable = httpclient.ErrUnavailable
)

// StatusError is an HTTP status other than success, of a whole answer or of one object in it. It wraps what that means
// there. The message is what the server says about it.
type StatusError struct {
	httpclient.Status
	kind error
}

func (e *StatusError) Error() string { return e.Describe(e.kind) }

func (e *StatusError) Unwrap() error { return e.kind }

// place is what a status is about. The same one means something else at each.
type place int

const (
	ofBatch    place = iota // the request about objects
	ofObject                // an object in the answer to that
	ofDownload              // a link
	ofUpload                // a link, or that to verify
)

// kindOf returns what a status means.
func kindOf(where place, op Operation, status int, message string) error {
	if kind := kindByStatus[status]; kind != nil {
		if kind == ErrTooLarge && speaksOfQuota(message) { // Forgejo
			return ErrFull
		}
		return kind
	}
	switch {
	case status/100 == 4 && speaksOfQuota(message): // GitLab 406, GitHub 403
		return ErrFull
	case where == ofUpload && message == "EntityTooLarge": // S3 400, of more than 5 GiB
		return ErrTooLarge
	case status == http.StatusUnauthorized && where >= ofDownload, status == http.StatusForbidden && where >= ofDownload:
		return ErrLinkRefused
	case status == http.StatusUnauthorized:
		return ErrUnauthorized
	case status == http.StatusForbidden:
		return ErrForbidden
	case where == ofBatch && meansDisabled(status):
		return ErrDisabled
	case where != ofBatch && op == Download && (status == http.StatusNotFound || status == http.StatusGone):
		return ErrMissing
	case status/100 == 5:
		return ErrServerFailed
	}
	return ErrRejected
}

// meansDisabled tells what a server without LFS answers to a batch: Git's own backend and Gitea 404, GitLab 404 for a
// project and 501 for the instance, others 405 or 410.
func meansDisabled(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
		return true
	}
	return false
}

// kindByStatus are those that mean the same everywhere.
var kindByStatus = map[int]error{
	http.StatusProxyAuthRequired:     httpclient.ErrProxyAuth,
	http.StatusRequestTimeout:        ErrUnavailable,
	http.StatusRequestEntityTooLarge: ErrTooLarge,
	http.StatusTooManyRequests:       ErrBusy,
	http.StatusBadGateway:            ErrUnavailable,
	http.StatusServiceUnavailable:    ErrUnavailable,
	http.StatusGatewayTimeout:        ErrUnavailable,
	http.StatusInsufficientStorage:   ErrFull,
	statusBandwidthExceeded:          ErrFull,
}

// statusBandwidthExceeded is of the batch API.
const statusBandwidthExceeded = 509

func speaksOfQuota(message string) bool {
	message = strings.ToLower(message)
	for _, words := range []string{"quota", "storage limit", "size limit", "would exceed"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}
