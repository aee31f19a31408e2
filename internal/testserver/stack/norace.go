//go:build !race

package stack

// Race tells whether this process was built with the race detector, as the workers are then that Build builds.
const Race = false
