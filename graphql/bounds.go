package graphql

import "fmt"

const (
	// maxAnswerSize bounds the answer in bytes, after decompression. 10,000 syncs with long names take 10 MiB, and
	// 100,000 components without one 2 MiB.
	maxAnswerSize = 16 << 20

	// maxValues bounds the values in it. They take more memory than text when they are small: an empty
	// object is three bytes of the answer and up to 130 of memory. A sync has some 16 of them.
	maxValues = 500_000

	// maxDepth bounds how deep they are nested. The built-in query's answer is 7 deep.
	maxDepth = 64
)

// checkBounds refuses an answer that would take more memory than it should, before it is decoded. It counts
// what may begin a value, and leaves to the decoder whether that is JSON.
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

// endOfString returns where the string ends that begins at start.
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
