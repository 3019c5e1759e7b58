package filestore

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// behind is a file system whose first look at a stretch of a file comes before it was written: there are zeroes.
type behind struct {
	vfs.FS
	name     string
	from, to int64
	looked   atomic.Bool
}

func (b *behind) Open(name string, write bool) (vfs.File, error) {
	f, err := b.FS.Open(name, write)
	if err != nil || !strings.HasSuffix(name, b.name) {
		return f, err
	}
	return &behindFile{f, b}, nil
}

type behindFile struct {
	vfs.File
	b *behind
}

func (f *behindFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	from, to := max(f.b.from-off, 0), min(f.b.to-off, int64(n))
	if from < to && f.b.looked.CompareAndSwap(false, true) {
		clear(p[from:to])
	}
	return n, err
}

// TestReaderBehindAWriter: a frame that was not there when the log was read ahead, and whose successor promises it when one looks
// for that, is late and not damaged.
func TestReaderBehindAWriter(t *testing.T) {
	m := &vfs.Mem{}
	l := newMemLocks(m)
	a := openMem(t, m, l, Options{})
	threads := []string{"one", "two", "three", "four", "five"}
	for _, name := range threads {
		c, err := a.Append(t.Context(), name, driver.Expect{}, []*driver.Record{{Kind: driver.KindClaim, Time: 1, Owner: "o"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const log = "log/00000001"
	b, err := vfs.ReadFile(m, "s/"+log, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	at := frames(b)
	if len(at) < len(threads) {
		t.Fatalf("%d frames", len(at))
	}
	for i := range at[:len(at)-2] {
		fsys := &behind{FS: m, name: log, from: int64(at[i]), to: int64(at[i+1])}
		s, err := open(fsys, l, "s", Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range threads {
			if th, err := s.Thread(t.Context(), name); err != nil || th.Damage != nil {
				t.Errorf("frame %d: thread %s: %+v, %v", i, name, th, err)
			}
		}
		if !fsys.looked.Load() {
			t.Errorf("frame %d: nothing was read", i)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}
