package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// servedSuffix is that of an empty file beside a database that a Temporal has served.
const servedSuffix = ".served"

// database is the file in which the Temporal keeps everything that this program runs.
type database struct {
	file string
	lock *os.File
}

// openDatabase takes the file for this program until it is closed: SQLite would let another server write into it. The file need not
// exist.
func openDatabase(file string) (*database, error) {
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	d := &database{file, lock}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		d.close()
		return nil, fmt.Errorf("lock %s, which another side on its own seems to use: %w", lock.Name(), err)
	}
	if err := d.discardHalfMade(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// discardHalfMade removes what no Temporal has served: one was killed while it made the tables, and each that came after it would
// refuse them.
func (d *database) discardHalfMade() error {
	if _, err := os.Stat(d.file + servedSuffix); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(d.file + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// markServed notes that the tables are made.
func (d *database) markServed() error { return os.WriteFile(d.file+servedSuffix, nil, 0o600) }

func (d *database) close() { _ = d.lock.Close() }
