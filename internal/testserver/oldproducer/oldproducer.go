// Package oldproducer makes objects as the producer of this software's predecessor does: with stock Git, from a fresh clone
// with its work tree.
package oldproducer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/app-sre/git-partition-sync/internal/project"
)

// Form says which version of the predecessor an object is of.
type Form struct {
	// BranchKey is the key of the first versions, which is like one of ours.
	BranchKey bool
	// PlainTar leaves out gzip, as the very first ones did.
	PlainTar bool
}

// Object is what is stored in the bucket.
type Object struct {
	Key    string
	Body   []byte
	Commit string // of the source's branch, as the key says
}

// Make clones a repository, given by its folder, and packs the clone up for a destination.
func Make(ctx context.Context, form Form, repository, branch string, destination project.Branch, recipient age.Recipient) (o Object, err error) {
	dir, err := os.MkdirTemp("", "oldproducer-")
	if err != nil {
		return o, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	clone := filepath.Join(dir, "clone")
	if _, err := Git(ctx, dir, "clone", "--quiet", "file://"+repository, clone); err != nil {
		return o, err
	}
	if o.Commit, err = Git(ctx, clone, "rev-parse", "refs/remotes/origin/"+branch); err != nil {
		return o, err
	}
	if o.Key, err = form.Key(destination, o.Commit, branch); err != nil {
		return o, err
	}
	archive, err := Tar(clone)
	if err != nil {
		return o, err
	}
	o.Body, err = form.Seal(archive, recipient)
	return o, err
}

// Key is the object's.
func (f Form) Key(destination project.Branch, commit, branch string) (string, error) {
	var key any = struct {
		Group        string `json:"group"`
		ProjectName  string `json:"project_name"`
		CommitSHA    string `json:"commit_sha"`
		LocalBranch  string `json:"local_branch"`
		RemoteBranch string `json:"remote_branch"`
	}{destination.Group, destination.Name, commit, branch, destination.Branch}
	if f.BranchKey {
		key = struct {
			Group       string `json:"group"`
			ProjectName string `json:"project_name"`
			CommitSHA   string `json:"commit_sha"`
			Branch      string `json:"branch"`
		}{destination.Group, destination.Name, commit, destination.Branch}
	}
	text, err := json.Marshal(key)
	return base64.StdEncoding.EncodeToString(text) + ".tar.age", err
}

// Seal compresses and encrypts an archive.
func (f Form) Seal(archive []byte, recipient age.Recipient) ([]byte, error) {
	var b bytes.Buffer
	encrypted, err := age.Encrypt(&b, recipient)
	if err != nil {
		return nil, err
	}
	if !f.PlainTar {
		if archive, err = Zip(archive); err != nil {
			return nil, err
		}
	}
	if _, err := encrypted.Write(archive); err != nil {
		return nil, err
	}
	err = encrypted.Close()
	return b.Bytes(), err
}

// Zip makes a gzip file.
func Zip(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

// Tar packs up the regular files of a folder, under their names in it.
func Tar(dir string) ([]byte, error) {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		if header.Name, err = filepath.Rel(dir, path); err != nil {
			return err
		}
		if err := tw.WriteHeader(header); err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(tw, file)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = tw.Close()
	return b.Bytes(), err
}

// Git runs a command in a folder, without the machine's and the user's configuration.
func Git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
