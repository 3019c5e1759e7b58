package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dashhost/dashhost/internal/vfs"
)

// partial is what the name of a file ends with that is not complete yet.
const partial = ".partial"

// newFile makes a file that is not there yet: write fills it under another name, and it gets its own when it is complete and on the
// disk. what is what the file is for.
func newFile(what, path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return &fileError{What: what, Path: path, Err: fs.ErrExist}
	}
	temp := path + partial
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &fileError{What: what, Path: temp, Err: fmt.Errorf("%w: another process writes it, or left it when it was killed: then remove it", fs.ErrExist)}
	}
	if err != nil {
		return &fileError{What: what, Path: path, Err: err}
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return vfs.OS{}.SyncDir(filepath.Dir(path))
}
