package catalog

// Seen is a catalog in the bucket that somebody has looked at. The zero value is none.
type Seen struct {
	ETag     string `json:"etag,omitempty"` // as the bucket says it
	Sequence int64  `json:"sequence,omitempty"`
}
