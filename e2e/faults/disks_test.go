package faults_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
)

// diskSize has room for everything that a side moves at a time.
const diskSize = "64m"

// brokenFor is how long a disk stays of no use once that was noticed.
const brokenFor = 10 * time.Second

func diskCells() (cells []cell) {
	for _, fault := range []struct {
		name, noticed string
		happen        func(*trial, stack.Role)
	}{
		{"full disk", "DiskFull", (*trial).fill},
		{"read-only disk", syscall.EPERM.Error(), (*trial).makeReadOnly},
	} {
		for _, role := range stack.Roles {
			for _, step := range onDisk[role] {
				if step == "Upload" || step == "Push" {
					continue // they write no files
				}
				cells = append(cells, cell{
					table: hosts, step: string(role) + "'s " + step, fault: fault.name, setup: setup{smallDisks: true},
					patience: 2 * defaultPatience, // a step's tries have to be over before a run can begin anew
					strike: func(r *trial) {
						log := r.logOf(role)
						struck := r.at(role, step, temporalproxy.HandedOut, func() { fault.happen(r, role) })
						r.change(r)
						r.await(struck)
						log.await(fault.noticed)
						time.Sleep(brokenFor)
					},
				})
			}
		}
	}
	return cells
}

// requireDisks skips what needs file systems of its own where this user may mount none, as in most containers.
func requireDisks(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k")
	if errors.Is(err, os.ErrPermission) {
		t.Skip("a disk that can be full needs a user who may mount one:", err)
	}
	require.NoError(t, err)
	err = errors.Join(setImmutable(dir, true), setImmutable(dir, false))
	require.NoError(t, syscall.Unmount(dir, 0))
	if err != nil {
		t.Skip("a disk that can be read only needs Linux 6.6, and a user who may make it so:", err)
	}
}

// mountDisks gives each side's WORKDIR a disk of its own until the world ends.
func (w *world) mountDisks(t *testing.T) {
	t.Helper()
	for _, role := range stack.Roles {
		dir := w.WorkDir(role)
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+diskSize))
		w.closers = append(w.closers, func() error { return syscall.Unmount(dir, syscall.MNT_DETACH) })
	}
}

// fill leaves no room on a side's disk until the fault is over, whatever the steps make free.
func (r *trial) fill(role stack.Role) {
	filler, err := os.Create(filepath.Join(r.WorkDir(role), "filler"))
	if err != nil {
		r.Error(err)
		return
	}
	block := make([]byte, 4<<10)
	write := func() error {
		for {
			if _, err := filler.Write(block); err != nil {
				return err
			}
		}
	}
	if err := write(); !errors.Is(err, syscall.ENOSPC) {
		r.Error("the disk is not full:", err)
	}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(10 * time.Millisecond):
				_ = write()
			}
		}
	})
	r.later(func() {
		close(quit)
		done.Wait()
		assert.NoError(r, filler.Close())
		assert.NoError(r, os.Remove(filler.Name()))
	})
}

// makeReadOnly lets nobody add or remove a file on a side's disk until the fault is over, root neither. A disk on which files are open
// for writing, such as workers' locks, cannot be mounted read-only.
func (r *trial) makeReadOnly(role stack.Role) {
	var folders []string
	r.later(func() {
		for _, folder := range folders {
			assert.NoError(r, setImmutable(folder, false))
		}
	})
	_ = filepath.WalkDir(r.WorkDir(role), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && setImmutable(path, true) == nil { // else it has just gone
			folders = append(folders, path)
		}
		return nil
	})
	assert.NotEmpty(r, folders)
}

// immutable is FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

func setImmutable(folder string, yes bool) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	flags &^= immutable
	if yes {
		flags |= immutable
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
}
