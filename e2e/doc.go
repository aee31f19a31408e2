// Package e2e has the tests and benchmarks of the whole: workers as they are released, on real servers.
package e2e
