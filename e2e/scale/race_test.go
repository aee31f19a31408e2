//go:build race

package scale_test

func init() { buildFlags = []string{"-race"} }
