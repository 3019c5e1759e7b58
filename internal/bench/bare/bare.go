// Package bare is the least that a durable log must do: one file, zero-filled ahead, one write for each append, one fdatasync for all
// that wait. It keeps no index, checks nothing and cannot be read back: it is the yardstick of benchmarks.
package bare

import (
	"errors"
	"sync"

	"github.com/dashhost/dashhost/internal/vfs"
)

// ahead is how much is filled with zeros at a time, so that an fdatasync has no metadata to write.
const ahead = 4 << 20

// Log is a file that is appended to. It is safe for concurrent use.
type Log struct {
	file vfs.File

	mu   sync.Mutex
	off  int64
	size int64 // that is filled

	turn   sync.Mutex
	synced int64
}

// Create makes a log at path, which must not be there.
func Create(path string) (*Log, error) {
	f, err := vfs.OS{}.Create(path)
	if err != nil {
		return nil, err
	}
	l := &Log{file: f}
	if err := l.grow(1); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// Append writes b and returns when it is durable. Whoever has the turn syncs for all that have written.
func (l *Log) Append(b []byte) error {
	end, err := l.write(b)
	if err != nil {
		return err
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.synced >= end {
		return nil
	}
	l.mu.Lock()
	to := l.off
	l.mu.Unlock()
	if err := l.file.SyncData(); err != nil {
		return err
	}
	l.synced = to
	return nil
}

func (l *Log) write(b []byte) (end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.grow(l.off + int64(len(b))); err != nil {
		return 0, err
	}
	if _, err := l.file.WriteAt(b, l.off); err != nil {
		return 0, err
	}
	l.off += int64(len(b))
	return l.off, nil
}

// grow fills the file with zeros up to need, and makes that durable.
func (l *Log) grow(need int64) error {
	for l.size < need {
		if _, err := l.file.WriteAt(make([]byte, ahead), l.size); err != nil {
			return err
		}
		if err := l.file.Sync(); err != nil {
			return err
		}
		l.size += ahead
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }
