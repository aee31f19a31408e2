// Package oldconsumer pushes objects as the consumer of this software's predecessor does: it unpacks each archive that it has not
// seen yet into a folder, and lets a shell and stock Git push from there, with force and in no order.
package oldconsumer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// Object is what a listing shows, and the object's body.
type Object struct {
	Key      string
	Modified time.Time
	Body     []byte
}

// Consumer remembers what it has pushed, by key and time.
type Consumer struct {
	Identity *age.X25519Identity
	// GitLab is the base of the repositories' URLs, with credentials.
	GitLab string

	seen map[string]time.Time
}

// key has the members that the predecessor reads.
type key struct {
	Group        string `json:"group"`
	ProjectName  string `json:"project_name"`
	CommitSHA    string `json:"commit_sha"`
	LocalBranch  string `json:"local_branch"`
	RemoteBranch string `json:"remote_branch"`
}

// Cycle pushes all objects that it has not seen. It stops at the first one that fails.
func (c *Consumer) Cycle(ctx context.Context, objects []Object) error {
	keys := make([]key, len(objects))
	for i, o := range objects {
		text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(o.Key, ".tar.age"))
		if err != nil {
			return fmt.Errorf("key %q: %w", o.Key, err)
		}
		if err := json.Unmarshal(text, &keys[i]); err != nil {
			return fmt.Errorf("key %q: %w", o.Key, err)
		}
	}
	if c.seen == nil {
		c.seen = map[string]time.Time{}
	}
	for i, o := range objects {
		if c.seen[o.Key].Equal(o.Modified) {
			continue
		}
		if err := c.push(ctx, keys[i], o.Body); err != nil {
			return fmt.Errorf("%+v: %w", keys[i], err)
		}
		c.seen[o.Key] = o.Modified
	}
	return nil
}

func (c *Consumer) push(ctx context.Context, k key, body []byte) error {
	dir, err := os.MkdirTemp("", "oldconsumer-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := Unpack(dir, body, c.Identity); err != nil {
		return err
	}
	remote := fmt.Sprintf("%s/%s/%s.git", c.GitLab, k.Group, k.ProjectName)
	for _, command := range []string{
		"git remote add fedramp " + remote,
		fmt.Sprintf("git push --force fedramp %s:%s", k.LocalBranch, k.RemoteBranch),
	} {
		if err := Shell(ctx, dir, command); err != nil {
			return err
		}
	}
	return nil
}

// Unpack decrypts an object, and writes its files below dir.
func Unpack(dir string, body []byte, identity age.Identity) error {
	plain, err := age.Decrypt(bytes.NewReader(body), identity)
	if err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(plain)
	if err != nil {
		return err
	}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		target := filepath.Join(dir, header.Name)
		switch header.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(target, 0o755)
		case tar.TypeReg:
			err = write(target, archive)
		default:
			err = fmt.Errorf("%q is of type %q", header.Name, header.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

func write(target string, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.Create(target)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(f, content)
	return err
}

// Shell runs a command in a folder, without the machine's and the user's configuration of Git.
func Shell(ctx context.Context, dir, command string) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return nil
}
