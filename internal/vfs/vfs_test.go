package vfs

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func none() bool { return false }

func use(t *testing.T, fsys FS, dir string) {
	t.Helper()
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step(fsys.MkdirAll(dir))
	f, err := fsys.Create(dir + "/a")
	step(err)
	if _, err := fsys.Create(dir + "/a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create of a file that is there: %v", err)
	}
	_, err = f.WriteAt([]byte("hello"), 3)
	step(err)
	step(f.SyncData())
	step(f.Truncate(6))
	size, err := f.Size()
	step(err)
	if size != 6 {
		t.Errorf("size %d, want 6", size)
	}
	step(f.Close())
	step(fsys.Rename(dir+"/a", dir+"/b"))
	step(WriteFile(fsys, dir, "c", "c.new", []byte("whole")))
	step(fsys.SyncDir(dir))
	names, err := fsys.ReadDir(dir)
	step(err)
	if strings.Join(names, " ") != "b c" {
		t.Errorf("names %q", names)
	}
	b, err := ReadFile(fsys, dir+"/b", 1, 100)
	step(err)
	if string(b) != "\x00\x00hel" {
		t.Errorf("read %q", b)
	}
	if _, err := ReadFile(fsys, dir+"/b", 0, 5); !errors.Is(err, ErrTooLong) {
		t.Errorf("a file over the limit: %v", err)
	}
	if _, err := fsys.Open(dir+"/a", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of a renamed file: %v", err)
	}
	step(fsys.Remove(dir + "/b"))
	if err := fsys.Remove(dir + "/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("remove again: %v", err)
	}
}

func TestBoth(t *testing.T) {
	use(t, OS{}, t.TempDir()+"/deep/er/d")
	use(t, &Mem{}, "d")
}

// TestReplay: what a power cut leaves is what was synced, and of the rest what keep says.
func TestReplay(t *testing.T) {
	m := &Mem{}
	f, err := m.Create("d/f")
	if err != nil {
		t.Fatal(err)
	}
	write := func(b byte, n int, off int64) {
		t.Helper()
		if _, err := f.WriteAt(bytes.Repeat([]byte{b}, n), off); err != nil {
			t.Fatal(err)
		}
	}
	write('1', 1000, 0)
	if _, ok := Replay(m.Log(), none).Data("d/f"); ok {
		t.Error("a file is there whose entry was not synced")
	}
	if err := m.SyncDir("d"); err != nil {
		t.Fatal(err)
	}
	if b, ok := Replay(m.Log(), none).Data("d/f"); !ok || len(b) != 0 {
		t.Errorf("%d bytes that were not synced (%v)", len(b), ok)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	write('2', 1000, 500)
	if b, _ := Replay(m.Log(), none).Data("d/f"); string(b) != strings.Repeat("1", 1000) {
		t.Errorf("after a sync %q", b)
	}
	i := 0
	torn, _ := Replay(m.Log(), func() bool { i++; return i == 2 }).Data("d/f") // the second sector of the write: 512 to 1024
	if want := strings.Repeat("1", 512) + strings.Repeat("2", 512); string(torn) != want {
		t.Errorf("torn: %q", torn)
	}
}

// TestFailedSyncForgets: after it the cache has what the disk lacks, and the next sync does not say so.
func TestFailedSyncForgets(t *testing.T) {
	m := &Mem{}
	f, err := m.Create("d/f")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), m.SyncDir("d")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("lost"), 0); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	m.Fault = func(op Op) error {
		if op.Kind == "sync" {
			return broken
		}
		return nil
	}
	if err := f.Sync(); !errors.Is(err, broken) {
		t.Errorf("sync: %v", err)
	}
	m.Fault = nil
	b, _ := m.Data("d/f")
	after, _ := Replay(m.Log(), none).Data("d/f")
	if string(b) != "lost" || len(after) != 0 {
		t.Errorf("cache %q, disk %q", b, after)
	}
}
