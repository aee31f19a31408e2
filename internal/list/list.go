// Package list reads lists that people write into variables and files.
package list

import (
	"iter"
	"strings"
	"unicode"
)

// Words yields the words of text, each after its line number. White space and commas separate words. A '#' at the
// start of a word begins a comment that lasts to the end of the line, and so does minisign's "untrusted comment:".
func Words(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			if strings.HasPrefix(strings.TrimSpace(line), "untrusted comment:") {
				continue
			}
			for word := range strings.FieldsFuncSeq(line, isSeparator) {
				if strings.HasPrefix(word, "#") {
					break
				}
				if !yield(number, word) {
					return
				}
			}
		}
	}
}

func isSeparator(r rune) bool { return r == ',' || unicode.IsSpace(r) }
