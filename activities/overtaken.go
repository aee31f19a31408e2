package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// ErrOvertaken says that an upload was planned on a state of the bucket that has changed since.
var ErrOvertaken = errors.New("another upload came first")

// overtakenError is ErrOvertaken by an object.
type overtakenError struct{ by object.Stored }

func (e overtakenError) Error() string {
	return fmt.Sprintf("%v: %q was uploaded %s", ErrOvertaken, e.by.Key, e.by.Modified.UTC().Format(time.RFC3339))
}

func (e overtakenError) Unwrap() error { return ErrOvertaken }

// leaveOvertaken leaves an upload to the next cycle that another run of this producer has overtaken: its catalog names that one's object.
// An object that the catalog does not name may be anybody's, and is the failure that it was.
func (p *Producer) leaveOvertaken(ctx context.Context, err error) (Uploaded, error) {
	overtaken, is := errors.AsType[overtakenError](err)
	if !is || !p.catalogues(ctx, overtaken.by) {
		return Uploaded{}, err
	}
	return Uploaded{Summary: fmt.Sprintf("nothing, left to the next cycle: %v", overtaken)}, nil
}

// catalogues tells whether the producer's catalog names an object.
func (p *Producer) catalogues(ctx context.Context, o object.Stored) bool {
	id, err := object.ParseKey(o.Key)
	if err != nil || !p.keepsCatalog() {
		return false
	}
	last, err := p.readCatalog(ctx)
	if err != nil || last.unusable != nil {
		return false
	}
	for _, s := range last.Syncs {
		if named := s.Object; s.Destination == id.Destination && named != nil {
			return named.Commit == id.Commit && named.Base == id.Base && named.Size == o.Size && named.Modified.Unix() == o.Modified.Unix()
		}
	}
	return false
}
