package plan

import "time"

// Trust says how far a chain in the bucket is known to be what this producer has uploaded. The zero value is for what is not known
// either way.
type Trust struct {
	// Known chains are as they were uploaded: an increment may build on them.
	Known bool
	// Heal says in words why a snapshot has to take the chain's place although the source has not moved; empty if none has to.
	Heal string
	// MadeAfter is the time after which the destination's next object has to be made; zero if there is none.
	MadeAfter time.Time
}
