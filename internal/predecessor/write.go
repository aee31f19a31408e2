package predecessor

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/app-sre/git-partition-sync/internal/packfile"
)

// Repository is a repository with one branch, to be written as an archive.
type Repository struct {
	Branch, Commit string
	// Pack has all of the branch, PackSize bytes.
	Pack     io.Reader
	PackSize int64
	Index    *packfile.Index
	// Modified is the time of all files.
	Modified time.Time
}

// config is what git init writes, less what depends on the machine.
const config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"

// Write writes an archive for the predecessor's consumer, which unpacks it and lets git push the branch from there. gzip only
// frames it: packs are compressed already.
func Write(w io.Writer, r Repository) error {
	zipped, err := gzip.NewWriterLevel(w, gzip.NoCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zipped)
	if err := r.write(archive); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

func (r Repository) write(archive *tar.Writer) error {
	pack := gitFolder + "objects/pack/pack-" + r.Index.Checksum()
	ref := "refs/heads/" + r.Branch
	for _, folder := range append([]string{"", "objects", "objects/pack"}, parents(ref)...) {
		header := tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimSuffix(gitFolder+folder, "/") + "/", Mode: 0o755, ModTime: r.Modified}
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
	}
	for _, file := range []struct{ name, content string }{
		{gitFolder + "HEAD", "ref: " + ref + "\n"},
		{gitFolder + "config", config},
		{gitFolder + ref, r.Commit + "\n"},
	} {
		if err := r.file(archive, file.name, int64(len(file.content))); err != nil {
			return err
		}
		if _, err := io.WriteString(archive, file.content); err != nil {
			return err
		}
	}
	if err := r.file(archive, pack+".pack", r.PackSize); err != nil {
		return err
	}
	if _, err := io.Copy(archive, r.Pack); err != nil {
		return err
	}
	if err := r.file(archive, pack+".idx", r.Index.Size()); err != nil {
		return err
	}
	return r.Index.Encode(archive)
}

func (r Repository) file(archive *tar.Writer, name string, size int64) error {
	return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: r.Modified})
}

// parents are the folders above a file, the uppermost first.
func parents(name string) (folders []string) {
	for i, c := range name {
		if c == '/' {
			folders = append(folders, name[:i])
		}
	}
	return folders
}
