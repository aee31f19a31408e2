package graphql

import "fmt"

const (
	// maxAnswerSize bounds the answer in bytes, after decompression. 10,000 syncs with long names take 10 MiB; 100,000
	// components without a sync take 2 MiB.
	maxAnswerSize = 16 << 20

	// maxValues bounds the number of values in the answer. Small values take more memory than text: an empty object is
	// three bytes of the answer and up to 130 bytes of memory. A sync has about 16 values.
	maxValues = 500_000

	// maxDepth bounds how deep they are nested. The built-in query's answer is 7 deep.
	maxDepth = 64
)

// checkBounds refuses an answer that would take too much memory, before it is decoded. It counts the characters that
// may begin a value, and leaves it to the decoder whether the answer is JSON.
func checkBounds(answer []byte) error {
	values, depth := 0, 0
	for i := 0; i < len(answer); i++ {
		switch answer[i] {
		case '"':
			i = endOfString(answer, i)
		case '{', '[':
			values++
			depth++
		case '}', ']':
			depth--
		case ',':
			values++
		}
		if values > maxValues {
			return fmt.Errorf("%w: more than %d values", ErrTooLarge, maxValues)
		}
		if depth > maxDepth {
			return fmt.Errorf("%w: nested more than %d deep", ErrTooLarge, maxDepth)
		}
	}
	return nil
}

// endOfString returns the index where the string that begins at start ends.
func endOfString(answer []byte, start int) int {
	for i := start + 1; i < len(answer); i++ {
		switch answer[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(answer)
}
