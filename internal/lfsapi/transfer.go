package lfsapi

import (
	"errors"
	"fmt"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// Operation is what objects are asked about for.
type Operation string

// The operations of the batch API.
const (
	Download Operation = "download"
	Upload   Operation = "upload"
)

// Transfer is the server's answer about one object: where it is, or where to send it. Only Client.Batch makes one that
// can be used.
type Transfer struct {
	lfs.Object

	project string
	op      Operation
	err     error
	link    *link // nil: nothing to transfer
	verify  *link // nil: nothing to verify
}

var errNotAsked = errors.New("the server was not asked about the LFS object")

// Err returns why the object cannot be transferred: ErrMissing, another error of this package, or nil.
func (t Transfer) Err() error {
	if t.op == "" {
		return errNotAsked
	}
	return t.err
}

// Needed tells whether the server lacks an object that was asked about for an upload.
func (t Transfer) Needed() bool { return t.op == Upload && t.err == nil && t.link != nil }

// check returns why the transfer cannot be used for an operation.
func (t Transfer) check(op Operation) error {
	switch {
	case t.Err() != nil:
		return t.Err()
	case t.op != op:
		return fmt.Errorf("the server was asked about the LFS object for an operation of %q", t.op)
	}
	return nil
}
