package filestore

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/storetest"
	"github.com/dashhost/dashhost/internal/vfs"
)

// memLocks are locks beside a vfs.Mem. A crash forgets them, as the system does.
type memLocks struct {
	fs *vfs.Mem

	mu    sync.Mutex
	taken map[string]bool
	free  chan struct{}
}

func newMemLocks(m *vfs.Mem) *memLocks {
	return &memLocks{fs: m, taken: map[string]bool{}, free: make(chan struct{})}
}

func (l *memLocks) try(path string) (func() error, chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken[path] {
		return nil, l.free
	}
	l.taken[path] = true
	return func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.taken, path)
		close(l.free)
		l.free = make(chan struct{})
		return nil
	}, nil
}

func (l *memLocks) lock(ctx context.Context, path string, timeout time.Duration) (func() error, error) {
	deadline := time.After(timeout)
	for {
		unlock, free := l.try(path)
		if unlock != nil {
			return unlock, nil
		}
		select {
		case <-free:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline:
			return nil, errTimeout
		}
	}
}

func (l *memLocks) hold(path string) (func() error, error) {
	release, _ := l.try(path)
	if release == nil {
		return nil, fmt.Errorf("%s: %w", path, driver.ErrBusy)
	}
	return release, nil
}

func (l *memLocks) close() error { return nil }

func (l *memLocks) held(path string) (bool, error) {
	if _, ok := l.fs.Data(path); !ok {
		return false, fs.ErrNotExist
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken[path], nil
}

func openMem(tb testing.TB, m *vfs.Mem, l *memLocks, o Options) *store {
	tb.Helper()
	s, err := open(m, l, "s", o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// memOpen is a storetest.Open over memory.
func memOpen(tb testing.TB) func() driver.Driver {
	m := &vfs.Mem{}
	l := newMemLocks(m)
	return func() driver.Driver { return openMem(tb, m, l, Options{SegmentSize: 64 << 10}) }
}

func TestModel(t *testing.T) { storetest.Model(t, memOpen) }
