// Package scale has the tests of many syncs at once, of several workers, and of one sync that is much larger than the others.
// By default they are small; make scale runs them in the size of a large company.
package scale
