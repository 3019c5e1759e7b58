// Package vfs is the seam between code that keeps data and the place where it is kept: the operating system, or memory that can
// record every operation, fail on demand, and be looked at as it would be after a power cut.
//
// It has what an append-only log needs and nothing else. Names are paths of the system (OS) or any strings with slashes (Mem).
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// FS is a file system. All methods may be called by several goroutines.
type FS interface {
	// Create makes a file for reading and writing. It must not be there: fs.ErrExist.
	Create(name string) (File, error)
	// Open opens a file that is there, for reading, and for writing too if write is set. fs.ErrNotExist if it is not there.
	Open(name string, write bool) (File, error)
	// Rename replaces newname, in one step.
	Rename(oldname, newname string) error
	Remove(name string) error
	// MkdirAll makes a directory and its parents, durably; one that is there is fine.
	MkdirAll(dir string) error
	// ReadDir returns the names in a directory, sorted.
	ReadDir(dir string) ([]string, error)
	// SyncDir makes the entries of a directory durable.
	SyncDir(dir string) error
	// Free is how many bytes can be written where a directory is.
	Free(dir string) (int64, error)
}

// File is an open file. All methods but Close may be called by several goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Sync makes data and size durable.
	Sync() error
	// SyncData is Sync without what reading does not need, such as times.
	SyncData() error
}

// ReadFile returns what a file holds from offset on. More than limit bytes are ErrTooLong, found before they are read.
func ReadFile(fsys FS, name string, offset, limit int64) (b []byte, err error) {
	f, err := fsys.Open(name, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size = max(size-offset, 0); size > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrTooLong}
	}
	b = make([]byte, size)
	n, err := f.ReadAt(b, offset)
	if n == len(b) || errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}

// ErrTooLong: a file is larger than the reader's limit.
var ErrTooLong = errors.New("file is larger than its limit")

// WriteFile makes name hold b, durably and in one step: temporary file, sync, rename, sync of the directory.
func WriteFile(fsys FS, dir, name, temp string, b []byte) error {
	f, err := fsys.Create(dir + "/" + temp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsys.Rename(dir+"/"+temp, dir+"/"+name)
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(dir+"/"+temp))
	}
	return fsys.SyncDir(dir)
}
