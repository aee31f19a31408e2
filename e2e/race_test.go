//go:build race

package e2e_test

// The race detector keeps several bytes for each byte that a worker touches, also for those of a repository that it held.
func init() { buildFlags, memoryFactor = []string{"-race"}, 4 }
