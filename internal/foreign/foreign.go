// Package foreign makes texts from others fit to be shown. What Git servers, hooks, object stores, proxies and the
// GraphQL server say ends up in errors, logs, workflow histories and terminals.
//
// Every text takes the same three steps in the same order. First it is cleaned of characters that act on a terminal,
// reorder what it shows, or are invisible. Then secrets are masked, because error pages and hooks repeat requests.
// Then it is cut. Cleaning comes first because it could join a secret that was split. Cutting comes last because half
// a secret is not found any more.
package foreign

import (
	"fmt"
	"strings"
)

// ellipsis replaces what was cut off.
const ellipsis = "…"

// Line returns the text as one line of at most limit characters, including "…" if it was cut.
func (m *Mask) Line(text string, limit int) string {
	line := m.Hide(strings.Join(cleanLines(text), " "))
	runes := []rune(line)
	if len(runes) <= limit {
		return line
	}
	// The rest may end like the beginning of a secret.
	return m.Hide(string(runes[:limit-1]) + ellipsis)
}

// Text returns the lines of the text without empty ones. If it has more than limit characters, it keeps the beginning
// and the end.
func (m *Mask) Text(text string, limit int) string {
	text = m.Hide(strings.Join(cleanLines(text), "\n"))
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	const gap = "\n" + ellipsis + "\n"
	rest := limit - len([]rune(gap))
	head, tail := runes[:(rest+1)/2], runes[len(runes)-rest/2:]
	return m.Hide(strings.TrimSpace(string(head)) + gap + strings.TrimSpace(string(tail)))
}

// Line is Mask.Line for programs that know no secrets.
func Line(text string, limit int) string { return (*Mask)(nil).Line(text, limit) }

// Text is Mask.Text for programs that know no secrets.
func Text(text string, limit int) string { return (*Mask)(nil).Text(text, limit) }

// Quote shows a name, such as an object's key, exactly, and cuts it after limit characters. It quotes it like Go, so
// that characters that act on a terminal are escaped instead of removed, and the name can be searched for. It is not
// for texts, because it masks no secrets.
func Quote[T ~string | ~[]byte](name T, limit int) string { return fmt.Sprintf("%.*q", limit, name) }

// Cut returns at most size bytes of a text, and never half a character. It is for a size that something else demands,
// such as a table's row. For what people read, use Line.
func Cut(text string, size int) string {
	return strings.ToValidUTF8(text[:min(len(text), max(0, size))], "")
}
