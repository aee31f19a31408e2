package foreign

import (
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDecodings is how often a text is unescaped: a URL in JSON in an HTML page takes three times.
const maxDecodings = 3

// searchText is a text in the form in which secrets are searched: without white space and combining marks, in lower
// case, and with one alphabet for both kinds of base64.
type searchText struct {
	text    []byte
	origins []span // where each byte comes from
}

// span is the part of the original text that a byte stands for.
type span struct{ start, end int }

func newSearchText(text string) searchText {
	v := searchText{text: make([]byte, 0, len(text)), origins: make([]span, 0, len(text))}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !unicode.IsSpace(r) && !unicode.Is(unicode.M, r) {
			v.add(text[i:i+size], span{i, i + size})
		}
		i += size
	}
	return v
}

func (v *searchText) add(text string, at span) {
	for _, b := range []byte(text) {
		switch {
		case b <= ' ' || b == 0x7f: // an escaped line break is white space, too
			continue
		case 'A' <= b && b <= 'Z':
			b += 'a' - 'A'
		case b == '-':
			b = '+'
		case b == '_':
			b = '/'
		}
		v.text = append(v.text, b)
		v.origins = append(v.origins, at)
	}
}

// decode unescapes URLs, JSON and other quoted strings, and HTML once.
func (v searchText) decode() (decoded searchText, changed bool) {
	for i := 0; i < len(v.text); {
		plain, size := unescape(v.text[i:])
		changed = changed || size > 1
		decoded.add(plain, span{v.origins[i].start, v.origins[i+size-1].end})
		i += size
	}
	return decoded, changed
}

// unescape returns the first character of the text, unescaped, and how many bytes of the text it took.
func unescape(text []byte) (plain string, size int) {
	switch text[0] {
	case '%':
		if b, ok := parseNumber(text, 1, 3, 16); ok {
			return string([]byte{byte(b)}), 3
		}
	case '\\':
		return unquote(text)
	case '&':
		const longest = len("&#x0000ff;")
		head := string(text[:min(len(text), longest)])
		escape := head[:strings.IndexByte(head, ';')+1]
		if plain := html.UnescapeString(escape); plain != escape {
			return plain, len(escape)
		}
	}
	return string(text[:1]), 1
}

// unquote is unescape for a text that begins with a backslash.
func unquote(text []byte) (plain string, size int) {
	if len(text) == 1 {
		return `\`, 1
	}
	switch text[1] {
	case 'u':
		if r, ok := parseNumber(text, 2, 6, 16); ok {
			return string(rune(r)), 6
		}
	case 'x':
		if b, ok := parseNumber(text, 2, 4, 16); ok {
			return string([]byte{byte(b)}), 4
		}
	case '0', '1', '2', '3':
		if b, ok := parseNumber(text, 1, 4, 8); ok {
			return string([]byte{byte(b)}), 4
		}
	case 'n', 'r', 't', 'b', 'f', 'v', 'a':
		return "", 2
	}
	return string(text[1:2]), 2
}

func parseNumber(text []byte, from, to, base int) (uint64, bool) {
	if len(text) < to {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[from:to]), base, 32)
	return n, err == nil
}
