package activities

import (
	"context"
	"io"

	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
)

// RefReader reads the refs of a project ("group/name"): a few by their full names, of which those that do not exist
// are absent from the map, or any number, one after the other.
type RefReader interface {
	EachRef(ctx context.Context, project string, wanted smarthttp.Wanted, visit func(smarthttp.Ref) error) error
	Refs(ctx context.Context, project string, names ...string) (map[string]string, error)
}

// SourceForge is what the producer needs of the sources' server.
type SourceForge interface {
	RefReader
	FetchPack(ctx context.Context, request smarthttp.FetchRequest) (*smarthttp.PackStream, error)
}

// LFSSource is what the producer needs of the sources' Git LFS server.
type LFSSource interface {
	// Enabled tells whether the project has Git LFS.
	Enabled(ctx context.Context, project string) (bool, error)
	Batch(ctx context.Context, project string, op lfsapi.Operation, objects []lfs.Object) ([]lfsapi.Transfer, error)
	// Download appends to a file what it lacks of the object, and fails with lfsapi.ErrMismatch if it then is another.
	Download(ctx context.Context, transfer lfsapi.Transfer, to lfsapi.File) error
}

// DestinationForge is what the consumer needs of the destinations' server.
type DestinationForge interface {
	RefReader
	// Known returns which of the commits the project has. Tip is the commit of one of its refs.
	Known(ctx context.Context, project, tip string, commits ...string) ([]string, error)
	// Descends tells whether ancestor, the commit of one of the project's refs, is in the history of commit, which the
	// project has.
	Descends(ctx context.Context, project, commit, ancestor string) (bool, error)
	Push(ctx context.Context, request smarthttp.PushRequest) error
	// PushedTip returns the commit of a ref as pushes see it, which may hide other refs than reads; "" if they see none.
	PushedTip(ctx context.Context, project, ref string) (string, error)
}

// LFSDestination is what the consumer needs of the destinations' LFS server. The errors are those of package lfsapi.
type LFSDestination interface {
	// Batch asks a project about objects, and returns the answers in their order.
	Batch(ctx context.Context, project string, op lfsapi.Operation, objects []lfs.Object) ([]lfsapi.Transfer, error)
	// Upload sends an object that the server was asked about for an upload, and needs.
	Upload(ctx context.Context, transfer lfsapi.Transfer, content io.ReaderAt) error
}

// GroupForge is what the consumer needs of a server whose groups it creates.
type GroupForge interface {
	// MissingGroups returns which groups on the path of a group, itself included, do not exist: the outermost first.
	MissingGroups(ctx context.Context, group string) ([]string, error)
	// CreateGroup creates a group in one that exists, or in none. It is no error if somebody else has created it
	// meanwhile.
	CreateGroup(ctx context.Context, group string) error
}
