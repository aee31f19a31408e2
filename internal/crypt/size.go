package crypt

// maxHeader bounds the header of an age file in bytes: that for a hundred recipients, also post-quantum ones.
const maxHeader = 200 << 10

// MayHold tells whether an age file of so many bytes may hold so many of plaintext. It leaves out what the header may have.
func MayHold(encrypted, plaintext int64) bool {
	chunks := max(1, (plaintext+chunkSize-1)/chunkSize)
	header := encrypted - plaintext - chunks*tagSize
	return header > int64(len(intro)) && header <= maxHeader
}
