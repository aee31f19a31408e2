package faults_test

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/stretchr/testify/assert"

	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
	"github.com/app-sre/git-partition-sync/internal/testserver/temporalproxy"
)

const hosts = "hosts"

// onDisk are the steps that read or write files of their runs.
var onDisk = map[stack.Role][]string{
	stack.Producer: {"Clone", "FindLFS", "UploadLFS", "Package", "Encrypt", "Upload"},
	stack.Consumer: {"Download", "Decrypt", "PushLFS", "Push"},
}

// hostCells take from workers what their machines give them.
func hostCells() (cells []cell) {
	return slices.Concat(deletionCells(), diskCells(), wrongSettingCells(), slipCells(), bucketClockCells(), workerClockCells())
}

// deletion takes something out of a work directory under a running worker.
type deletion struct {
	what    string
	pattern string // of paths below the work directory
	noticed string // what the worker's log then has
}

const (
	remade  = "was deleted, and was made again"
	missing = "StagedFileMissing"
)

var deletions = []deletion{
	{"WORKDIR deleted", "", remade},
	{"the worker's folder deleted", "worker-*", remade},
	{"the worker's lock deleted", "worker-*/lock", remade},
	{"the runs' folders deleted", "worker-*/*/", missing},
}

func deletionCells() (cells []cell) {
	for _, role := range stack.Roles {
		for i, step := range onDisk[role] {
			for _, d := range deletions {
				if i == 0 && d.noticed == missing {
					continue // there are no files before the first step
				}
				cells = append(cells, cell{
					table: hosts, step: string(role) + "'s " + step, fault: d.what,
					fast: step == "Decrypt" && d.pattern == "",
					strike: func(r *trial) {
						log := r.logOf(role)
						deleted := r.at(role, step, temporalproxy.HandedOut, func() { r.delete(role, d.pattern) })
						r.change(r)
						r.await(deleted)
						log.await(d.noticed)
					},
				})
			}
		}
	}
	return cells
}

func (r *trial) delete(role stack.Role, pattern string) {
	paths, err := filepath.Glob(filepath.Join(r.WorkDir(role), pattern))
	if err != nil || len(paths) == 0 {
		r.Error("there is nothing to delete:", err)
	}
	for _, path := range paths {
		assert.NoError(r, os.RemoveAll(path))
	}
}
