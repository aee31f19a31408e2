package lfsapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/app-sre/git-partition-sync/internal/lfs"
)

// File is where an object is downloaded to. *os.File is one; a caller can count in WriteAt what arrives.
type File interface {
	io.ReaderAt
	io.WriterAt
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
}

// partial is a file with the beginning of an object.
type partial struct {
	file   File
	object lfs.Object
	have   int64     // bytes in the file
	digest hash.Hash // of them
	failed error     // of the file itself, or of what does not belong into it
	isPage bool      // what came last calls itself a web page
}

// openPartial reads what is in the file already, which may be more than the object.
func openPartial(ctx context.Context, file File, object lfs.Object) (*partial, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	p := &partial{file: file, object: object, digest: sha256.New()}
	p.have, err = io.Copy(p.digest, &cancelled{ctx, io.NewSectionReader(file, 0, info.Size())})
	if err != nil {
		return nil, fmt.Errorf("read what has arrived: %w", err)
	}
	return p, nil
}

// cancelled ends a long read with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (r *cancelled) Read(b []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// Write implements io.Writer.
func (p *partial) Write(b []byte) (int, error) {
	if int64(len(b)) > p.object.Size-p.have {
		p.failed = fmt.Errorf("%w: the answer has more than %d bytes", ErrMismatch, p.object.Size)
		return 0, p.failed
	}
	n, err := p.file.WriteAt(b, p.have)
	p.digest.Write(b[:n])
	p.have += int64(n)
	p.failed = err
	return n, err
}

// reset empties the file.
func (p *partial) reset() error {
	p.have, p.failed = 0, nil
	p.digest.Reset()
	return p.file.Truncate(0)
}

// check tells whether the file is the object.
func (p *partial) check() error {
	if p.have != p.object.Size {
		return fmt.Errorf("%w: it has %d bytes, not %d", ErrMismatch, p.have, p.object.Size)
	}
	if sum := hex.EncodeToString(p.digest.Sum(nil)); sum != p.object.OID {
		return fmt.Errorf("%w: its SHA-256 is %s", ErrMismatch, sum)
	}
	return nil
}
