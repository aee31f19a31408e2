package predecessor

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/foreign"
	"github.com/app-sre/git-partition-sync/internal/packfile"
	"github.com/app-sre/git-partition-sync/internal/stream"
)

// How many times larger than its object an archive may be, work tree included, and its pack, whose content is compressed already. A
// gzip file of zeros can grow a thousandfold.
const (
	maxGrowth     = 64
	maxPackGrowth = 16
	// slack is for small objects, in bytes.
	slack = 64 << 20
)

// maxPadding bounds what tar adds after the last member, in bytes.
const maxPadding = 64 << 10

// Wanted is what is looked for in an archive.
type Wanted struct {
	// Branch is the one whose commit is wanted.
	Branch string
	// ObjectSize bounds how large the archive and its pack may be. In bytes.
	ObjectSize int64
	// Room is asked whether there is room for the pack, of that many bytes.
	Room func(size int64) error
}

// Read copies the pack of an archive to w, and returns the commit that the branch is at. What w got may only be used after it
// succeeded. It fails with ErrMalformed, or the error of w, of r or of Room.
func Read(r io.Reader, wanted Wanted, w io.Writer) (commit string, err error) {
	src := &stream.Reader{R: r}
	a := archive{
		Wanted: wanted, refs: newRefs(wanted.Branch), dst: &stream.Writer{W: w},
		file: bufio.NewReader(src), // gzip takes no byte too many from it
	}
	commit, err = a.read()
	switch {
	case err == nil:
		return commit, nil
	case src.Failed() != nil: // none of the archive's: a ciphertext that does not authenticate
		err = src.Failed()
	case a.dst.Err != nil:
		err = a.dst.Err
	case errors.Is(err, ErrMalformed), errors.Is(err, a.noRoom):
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = malformed("truncated")
	default: // also a corrupt pack, which is of the archive's making, not of a server's that is worth asking again
		err = malformed("%s", foreign.Line(err.Error(), 200))
	}
	return "", fmt.Errorf("read archive: %w", err)
}

// archive is one that is being read.
type archive struct {
	Wanted
	refs
	dst    *stream.Writer
	file   *bufio.Reader // the age file's content
	tar    *tar.Reader
	packed bool  // the pack was found
	noRoom error // what Room has said
}

func (a *archive) read() (string, error) {
	content := io.Reader(a.file)
	if magic, _ := a.file.Peek(len(gzipMagic)); string(magic) == gzipMagic {
		unzipped, err := gzip.NewReader(a.file)
		if err != nil {
			return "", err
		}
		unzipped.Multistream(false)
		content = unzipped
	}
	limited := &bounded{r: content, left: maxGrowth*a.ObjectSize + slack}
	a.tar = tar.NewReader(limited)
	for {
		header, err := a.tar.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = a.member(header)
		}
		if err != nil {
			return "", err
		}
	}
	if err := a.checkEnd(limited); err != nil {
		return "", err
	}
	if !a.packed {
		return "", malformed("no pack in it")
	}
	return a.commit()
}

// member takes in what is wanted. The rest is passed over: the work tree, and what else Git keeps.
func (a *archive) member(header *tar.Header) error {
	name := memberName(header)
	if name != "" && (path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../")) {
		return malformed("member with the name %s", foreign.Quote(header.Name, 100))
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
	default:
		return malformed("member %s is not a file, but of tar type %q", foreign.Quote(header.Name, 100), header.Typeflag)
	}
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") { // a few bytes can stand for terabytes of zeros
			return malformed("member %s is sparse", foreign.Quote(header.Name, 100))
		}
	}
	name, inGit := strings.CutPrefix(name, gitFolder)
	if !inGit {
		return nil
	}
	if object, ok := strings.CutPrefix(name, "objects/"); ok {
		return a.object(object, header)
	}
	if name == "shallow" && header.Size > 0 {
		return malformed("the clone is shallow: it lacks the beginning of its history")
	}
	return a.ref(name, header.Size, a.tar)
}

// object takes in the pack, and refuses what could hold other objects.
func (a *archive) object(name string, header *tar.Header) error {
	folder, file := path.Split(name)
	switch {
	case folder == "pack/" && path.Ext(file) == ".pack":
		return a.pack(header)
	case folder == "pack/" && path.Ext(file) == ".promisor":
		return malformed("the clone is partial: it lacks objects")
	case name == "info/alternates" || name == "info/http-alternates":
		return malformed("the clone borrows objects from another repository")
	case folder == "pack/" || strings.HasPrefix(folder, "info/"):
		return nil
	}
	return malformed("object %s outside of the pack", foreign.Quote(name, 100))
}

func (a *archive) pack(header *tar.Header) error {
	if a.packed {
		return malformed("more than one pack")
	}
	a.packed = true
	if limit := maxPackGrowth*a.ObjectSize + slack; header.Size > limit {
		return malformed("the pack is of %d bytes, limit %d for an object of %d", header.Size, limit, a.ObjectSize)
	}
	if a.noRoom = a.Room(header.Size); a.noRoom != nil {
		return a.noRoom
	}
	verified := packfile.NewVerifier(a.tar)
	_, err := io.Copy(a.dst, verified)
	switch {
	case err != nil:
		return err
	case verified.Objects() == 0:
		return malformed("the pack is empty")
	}
	return nil
}

// checkEnd reads to the end of everything: a gzip file is only whole then, and an age file as well.
func (a *archive) checkEnd(content io.Reader) error {
	padding, err := io.ReadAll(io.LimitReader(content, maxPadding+1))
	switch {
	case err != nil:
		return err
	case len(padding) > maxPadding || len(bytes.Trim(padding, "\x00")) > 0:
		return malformed("data after the end of the tar")
	}
	if _, err := a.file.ReadByte(); err != io.EOF {
		if err != nil {
			return err
		}
		return malformed("data after the end of the gzip file")
	}
	return nil
}
