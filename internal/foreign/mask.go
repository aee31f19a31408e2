package foreign

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const (
	// stars replace a secret, whatever its length.
	stars = "***"

	// minFormLength is the length in bytes from which a secret is masked by itself. Shorter secrets are like ordinary
	// words, and masking them would turn texts into stars. They are found only together with the user's name, as
	// "user:password" and as the base64 of it.
	minFormLength = 6

	// runLength is how many consecutive bytes of a longer secret are enough to mask it.
	runLength = 20

	// minPartLength is how many bytes of a secret are masked at the beginning or end of a text, where a limit may have
	// cut the secret.
	minPartLength = 8

	// maxEscapeLength is how many bytes an escape that was cut in two may leave: "&#x0022;" less one.
	maxEscapeLength = 7
)

// Mask knows the secrets of a program. The nil Mask knows none. It does not change, and may be used concurrently.
type Mask struct {
	forms []string                           // what secrets look like in a searchText
	runs  [runLength + 1]map[string]struct{} // pieces of forms, by their length
}

// NewMask returns a Mask of the secrets. Each line of a secret is a secret by itself. Basic authentication (RFC 7617)
// sends the name and password as one: give "user:password" as well as the password.
//
// A secret is found in plain text, in base64 at any offset, in hexadecimal, escaped as in URLs, JSON or HTML, in
// upper and lower case, with white space anywhere in it, and cut off at an end of the text. A server that wants to
// reveal it has many more ways.
func NewMask(secrets ...string) *Mask {
	m := &Mask{}
	for _, secret := range secrets {
		for line := range strings.Lines(secret) {
			line = strings.TrimSpace(line)
			for _, form := range spellings(line) {
				m.addForm(string(newSearchText(form).text))
			}
		}
	}
	return m
}

// spellings are the forms of a secret that searchText does not decode.
func spellings(secret string) []string {
	whole := base64.StdEncoding.EncodeToString([]byte(secret))
	query := strings.Join(strings.Fields(secret), "+")
	forms := []string{secret, query, hex.EncodeToString([]byte(secret)), whole, strings.TrimRight(whole, "=")}
	for lead := range 3 { // of the bytes before it, modulo 3
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", lead) + secret))
		first, last := (lead*8+5)/6, (lead+len(secret))*8/6 // the characters that the secret alone decides
		if first < last {
			forms = append(forms, encoded[first:last])
		}
	}
	return forms
}

func (m *Mask) addForm(form string) {
	if len(form) < minFormLength {
		return
	}
	m.forms = append(m.forms, form)
	size := min(len(form), runLength)
	if m.runs[size] == nil {
		m.runs[size] = map[string]struct{}{}
	}
	for i := range len(form) - size + 1 {
		m.runs[size][form[i:i+size]] = struct{}{}
	}
}

// Hide replaces the secrets that it finds in a clean text.
func (m *Mask) Hide(text string) string {
	if m == nil {
		return text
	}
	for { // the rest may form a secret again; each round makes the text shorter
		secret, found := m.findSecrets(text)
		if !found {
			return text
		}
		text = strings.ToValidUTF8(replaceSecrets(text, secret), "")
	}
}

// findSecrets tells which bytes of the text belong to a secret.
func (m *Mask) findSecrets(text string) (secret []bool, found bool) {
	secret = make([]bool, len(text))
	mark := func(v searchText, from, to int) {
		found = true
		for i := v.origins[from].start; i < v.origins[to-1].end; i++ {
			secret[i] = true
		}
	}
	v := newSearchText(text)
	for range maxDecodings + 1 {
		m.findRuns(v, mark)
		m.findCutSecrets(v, mark)
		decoded, changed := v.decode()
		if !changed {
			break
		}
		v = decoded
	}
	return secret, found
}

func (m *Mask) findRuns(v searchText, mark func(v searchText, from, to int)) {
	for size, known := range m.runs {
		if known == nil {
			continue
		}
		for i := range len(v.text) - size + 1 {
			if _, ok := known[string(v.text[i:i+size])]; ok {
				mark(v, i, i+size)
			}
		}
	}
}

// findCutSecrets finds the end of a secret at the beginning of the text, and the beginning of a secret at its end,
// also if an escape was cut there.
func (m *Mask) findCutSecrets(v searchText, mark func(v searchText, from, to int)) {
	text := string(v.text)
	cut := strings.TrimRight(strings.TrimRight(text, ellipsis), ".") // an ellipsis may mark the cut
	const reach = runLength - 1 + maxEscapeLength
	head, tail := text[:min(len(text), reach)], cut[max(0, len(cut)-reach):]
	for _, form := range m.forms {
		if len(form) <= minPartLength || !strings.Contains(head, form[len(form)-minPartLength:]) && !strings.Contains(tail, form[:minPartLength]) {
			continue // there is not even the shortest part: a text has none of nearly all forms
		}
		for size := min(len(form)-1, runLength-1); size >= minPartLength; size-- {
			if at := strings.Index(text[:min(len(text), size+maxEscapeLength)], form[len(form)-size:]); at >= 0 {
				mark(v, at, at+size)
			}
			end := max(0, len(cut)-size-maxEscapeLength)
			if at := strings.LastIndex(cut[end:], form[:size]); at >= 0 {
				mark(v, end+at, end+at+size)
			}
		}
	}
}

func replaceSecrets(text string, secret []bool) string {
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !secret[i]:
			out.WriteByte(text[i])
		case i == 0 || !secret[i-1]:
			out.WriteString(stars)
		}
	}
	return out.String()
}
