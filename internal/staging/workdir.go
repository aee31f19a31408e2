package staging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openWorkdir opens the work directory, and creates it if it does not exist. Everything in it is reached through the
// open directory, so that nobody can put a symbolic link or another directory in its place.
func openWorkdir(workdir string) (*os.Root, error) {
	if err := os.MkdirAll(workdir, 0o700); err != nil {
		return nil, fmt.Errorf("work directory: %w", err)
	}
	named, err := os.Lstat(workdir)
	if err != nil {
		return nil, fmt.Errorf("work directory: %w", err)
	}
	if named.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("work directory %s is a symbolic link: set WORKDIR to where it points, if that can be trusted", workdir)
	}
	root, err := os.OpenRoot(workdir)
	if err != nil {
		return nil, fmt.Errorf("work directory: %w", err)
	}
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(named, opened) {
		err = errors.New("it was replaced while it was opened")
	}
	if err == nil {
		owner, group := ownerOf(opened)
		err = checkPermissions(owner, group, opened.Mode(), os.Geteuid(), os.Getegid())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("work directory %s: %w", workdir, err), root.Close())
	}
	return root, nil
}

// OwnFolder returns the path of a folder of this user's in the work directory, and creates both if they do not exist. It refuses what
// others may have prepared.
func OwnFolder(workdir, name string) (string, error) {
	root, err := openWorkdir(workdir)
	if err != nil {
		return "", err
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	folder := filepath.Join(workdir, name)
	info, err := root.Lstat(name)
	if err != nil {
		return "", err
	}
	switch owner, _ := ownerOf(info); {
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a folder: move it away", folder)
	case owner != os.Geteuid():
		return "", fmt.Errorf("%s belongs to user %d, and this is user %d: set WORKDIR to a folder of your own", folder, owner, os.Geteuid())
	case info.Mode().Perm()&0o002 != 0:
		return "", fmt.Errorf("every user can write to %s: take that right away (chmod o-w)", folder)
	}
	return folder, nil
}

// ownerOf returns the user and the group that own a file.
func ownerOf(info fs.FileInfo) (user, group int) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(stat.Uid), int(stat.Gid)
}

// checkPermissions refuses a directory that others may have prepared or can change. It accepts any directory of
// root's: a kubelet creates an emptyDir that everybody in the pod, or a group of the operator's choice, can write.
func checkPermissions(owner, group int, mode fs.FileMode, user, userGroup int) error {
	const fix = "set WORKDIR to a folder of the worker's own"
	sticky := mode&fs.ModeSticky != 0 // others can add, but neither rename nor remove what is ours
	switch {
	case owner == 0 && user != 0:
		return nil
	case owner != user:
		return fmt.Errorf("it belongs to user %d, and the worker is user %d: %s", owner, user, fix)
	case mode.Perm()&0o002 != 0 && !sticky:
		return fmt.Errorf("every user can write to it: %s, or take that right away (chmod o-w)", fix)
	case mode.Perm()&0o020 != 0 && !sticky && group != userGroup:
		return fmt.Errorf("group %d can write to it, which is not the worker's own: %s, or take that right away (chmod g-w)", group, fix)
	}
	return nil
}
