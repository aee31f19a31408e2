//go:build race

package faults_test

func init() { buildFlags = []string{"-race"} }
