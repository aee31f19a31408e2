// Package foreign makes words of others fit to be shown: what Git servers, hooks, object
// stores, proxies and the GraphQL server say ends up in errors, logs, workflow
// histories and terminals.
//
// All of it takes the same three steps in the same order. It is cleaned of what would act on a
// terminal, reorder what it shows, or hide in it. Then secrets are masked, because error
// pages and hooks repeat requests. Then it is cut. Cleaning comes first, as a secret could be split
// by what it removes; cutting comes last, as half a secret is not found any more.
package foreign

import (
	"fmt"
	"strings"
)

// ellipsis stands for what was cut off.
const ellipsis = "…"

// Line makes one line of at most limit characters, "…" included where it was cut.
func (m *Mask) Line(text string, limit int) string {
	line := m.Hide(strings.Join(cleanLines(text), " "))
	runes := []rune(line)
	if len(runes) <= limit {
		return line
	}
	// What is left may by chance end like a secret that was cut off.
	return m.Hide(string(runes[:limit-1]) + ellipsis)
}

// Text keeps lines apart, and leaves the empty ones out. Of a text with more than limit characters it
// keeps the beginning and the end.
func (m *Mask) Text(text string, limit int) string {
	text = m.Hide(strings.Join(cleanLines(text), "\n"))
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	const gap = "\n" + ellipsis + "\n"
	keep := limit - len([]rune(gap))
	head, tail := runes[:(keep+1)/2], runes[len(runes)-keep/2:]
	return m.Hide(strings.TrimSpace(string(head)) + gap + strings.TrimSpace(string(tail)))
}

// Line makes one line where no secrets are known, such as in a program that has none.
func Line(text string, limit int) string { return (*Mask)(nil).Line(text, limit) }

// Text is for several lines where no secrets are known.
func Text(text string, limit int) string { return (*Mask)(nil).Text(text, limit) }

// Quote shows a name, such as an object's key, exactly: in Go's spelling, so that what terminals act on is escaped
// and not left out, and whoever looks for the name finds it. It is of no use for texts, which may repeat secrets.
// What is longer than limit characters is cut.
func Quote[T ~string | ~[]byte](name T, limit int) string { return fmt.Sprintf("%.*q", limit, name) }

// Cut leaves at most size bytes of a text, to the end of a character. It is for what has a size that something else
// demands, such as a row of a table; Line cuts what people read.
func Cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:max(0, size)], "")
}
