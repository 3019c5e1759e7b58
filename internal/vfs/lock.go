package vfs

import (
	"errors"
	"os"
)

// FileLock is a file that processes lock, open. The system gives the lock back when the process ends. It belongs to the open file and
// not to a goroutine: whoever has it, all of the process has it, so only one may ask at a time.
type FileLock struct{ f *os.File }

// OpenLock opens a file that is there, or makes one.
func OpenLock(name string) (*FileLock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &FileLock{f}, nil
}

// Try takes the lock if it is free. It does not wait.
func (l *FileLock) Try() (bool, error) {
	err := l.control(func(fd uintptr) error { return lock(fd, false) })
	if errors.Is(err, errLocked) {
		return false, nil
	}
	return err == nil, err
}

// Wait takes the lock alone, as soon as it is free.
func (l *FileLock) Wait() error {
	return l.control(func(fd uintptr) error { return lock(fd, true) })
}

// Unlock gives it back.
func (l *FileLock) Unlock() error { return l.control(unlock) }

// Close closes the file, and gives the lock back.
func (l *FileLock) Close() error { return l.f.Close() }

// control keeps the descriptor from being used for another file while f, which may wait for long, has it.
func (l *FileLock) control(f func(fd uintptr) error) error {
	c, err := l.f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := c.Control(func(fd uintptr) { failed = f(fd) }); err != nil {
		return err
	}
	if failed != nil && !errors.Is(failed, errLocked) {
		return &os.PathError{Op: "lock", Path: l.f.Name(), Err: failed}
	}
	return failed
}

var errLocked = errors.New("locked")
