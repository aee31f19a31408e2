// Package model plays random schedules: the real activities of both sides, whose every request to the bucket and the Git servers waits for
// its turn, on servers in memory and with clocks of its own. Between any two requests the sources move, workers are killed or held up,
// requests and answers are lost, and others move the destinations. A schedule is the same again when it is played again, so that rapid
// can shrink it.
package model
