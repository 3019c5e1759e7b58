package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// brokenFS gives what it has until a file is opened that cannot be read.
type brokenFS struct{ fstest.MapFS }

var errBroken = errors.New("broken")

func (b brokenFS) Open(name string) (fs.File, error) {
	if name == "b/z" {
		return nil, errBroken
	}
	return b.MapFS.Open(name)
}

// TestUnpackLeavesNothingBehind: after a fault half-way the folder is as it was, with the folders above it.
func TestUnpackLeavesNothingBehind(t *testing.T) {
	files := brokenFS{fstest.MapFS{"a": {Data: []byte("a")}, "b/y": {Data: []byte("y")}, "b/z": {Data: []byte("z")}}}
	top := t.TempDir()
	if err := os.Mkdir(filepath.Join(top, "there"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"there", "new", "deep/new"} {
		if _, err := unpack(filepath.Join(top, dir), files); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	var left []string
	err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
		left = append(left, path)
		return err
	})
	if err != nil || len(left) != 2 {
		t.Errorf("left: %q, %v", left, err)
	}
}

// intruderFS puts a file of its own where the next one is to go, as somebody else might.
type intruderFS struct {
	fstest.MapFS
	path string
}

func (i intruderFS) Open(name string) (fs.File, error) {
	if name == "a" {
		if err := os.WriteFile(i.path, []byte("not yours"), 0o600); err != nil {
			return nil, err
		}
	}
	return i.MapFS.Open(name)
}

// TestUnpackWritesNothingOver: a file that comes up meanwhile stays what it is.
func TestUnpackWritesNothingOver(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b")
	_, err := unpack(dir, intruderFS{fstest.MapFS{"a": {Data: []byte("a")}, "b": {Data: []byte("b")}}, path})
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "not yours" {
		t.Errorf("the file is %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a was left: %v", err)
	}
}
