package graphql

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// ErrUnauthorized is a StatusError's meaning when the server refuses the
// credentials (401) or their owner (403).
var ErrUnauthorized = errors.New("graphql server refused the credentials")

// StatusError is an answer other than 2xx.
type StatusError struct {
	Code int    // HTTP status
	Body string // beginning of the body, printable and at most 200 characters
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("graphql server answered %d %s: %q", e.Code, http.StatusText(e.Code), e.Body)
}

// Is makes errors.Is(err, ErrUnauthorized) true for 401 and 403.
func (e *StatusError) Is(target error) bool {
	return target == ErrUnauthorized && (e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden)
}

const (
	maxExcerpt = 200      // characters of foreign text in an error
	maxScanned = 64 << 10 // bytes of foreign text that are looked at for it
)

// excerpt is the beginning of a foreign text as one printable line.
func excerpt(text string) string {
	line := make([]rune, 0, maxExcerpt)
	for _, r := range text {
		if len(line) == maxExcerpt {
			break
		}
		if unicode.IsGraphic(r) && !unicode.IsSpace(r) {
			line = append(line, r)
		} else if n := len(line); n > 0 && line[n-1] != ' ' {
			line = append(line, ' ')
		}
	}
	return strings.TrimSpace(string(line))
}
