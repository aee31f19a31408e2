package httpclient

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is the longest pause that is accepted from a server.
const maxRetryAfter = 24 * time.Hour

// RetryAfter is how long the server wants not to be asked (RFC 9110, section 10.2.3), given as seconds or a date. It
// is zero when the server does not say, or the value is malformed.
func RetryAfter(header http.Header) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(date)), maxRetryAfter)
	}
	return 0
}
