package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// locker locks files between processes.
type locker interface {
	// lock takes an exclusive lock, made if needed, and waits for it. errTimeout when it takes too long.
	lock(ctx context.Context, path string, timeout time.Duration) (unlock func() error, err error)
	// hold takes an exclusive lock on a file that is there and nobody has locked.
	hold(path string) (release func() error, err error)
	// held says whether somebody has an exclusive lock. fs.ErrNotExist if the file is not there.
	held(path string) (bool, error)
	// close lets go of what lock has opened.
	close() error
}

var errTimeout = errors.New("lock was not free in time")

// flocks are locks of the operating system, gone with the process that has them.
//
// The system wakes those who wait for a lock, and whoever asks first has it: a process that gives it back and asks again at once
// would win for ever. So whoever wants the lock stands in the door first, a lock too, and leaves it with the lock: at the most
// one turn of each other process comes before.
type flocks struct {
	once sync.Once
	gate chan struct{} // holds one thing: who has taken it out may use the locks
	door *vfs.FileLock
	main *vfs.FileLock
}

func (l *flocks) lock(ctx context.Context, path string, timeout time.Duration) (func() error, error) {
	l.once.Do(func() {
		l.gate = make(chan struct{}, 1)
		l.gate <- struct{}{}
	})
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-l.gate:
	case <-timer.C:
		return nil, errTimeout
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ok, err := l.try(path)
	if err != nil {
		l.gate <- struct{}{}
		return nil, err
	}
	if ok {
		return l.unlock, nil
	}
	return l.wait(ctx, timer.C)
}

// open opens the locks, once.
func (l *flocks) open(path string) (err error) {
	if l.main != nil {
		return nil
	}
	if l.door == nil {
		if l.door, err = vfs.OpenLock(path + doorSuffix); err != nil {
			l.door = nil
			return err
		}
	}
	if l.main, err = vfs.OpenLock(path); err != nil {
		l.main = nil
	}
	return err
}

// try takes the lock if nobody has it or waits for it.
func (l *flocks) try(path string) (bool, error) {
	if err := l.open(path); err != nil {
		return false, err
	}
	if ok, err := l.door.Try(); err != nil || !ok {
		return false, err
	}
	ok, err := l.main.Try()
	return ok, errors.Join(err, l.door.Unlock())
}

func (l *flocks) unlock() error {
	err := l.main.Unlock()
	l.gate <- struct{}{}
	return err
}

// wait blocks in the kernel, which wakes us at once; polling would be late. When we give up first, the goroutine stays until the
// lock comes and gives it back; until then nobody else of this process can have it.
func (l *flocks) wait(ctx context.Context, timeout <-chan time.Time) (func() error, error) {
	got := make(chan error)
	gaveUp := make(chan struct{})
	go func() {
		err := l.door.Wait()
		if err == nil {
			err = errors.Join(l.main.Wait(), l.door.Unlock())
		}
		select {
		case got <- err:
		case <-gaveUp:
			if err == nil {
				err = l.main.Unlock()
			}
			_ = err // nobody waits for it any more
			l.gate <- struct{}{}
		}
	}()
	select {
	case err := <-got:
		if err != nil {
			l.gate <- struct{}{}
			return nil, err
		}
		return l.unlock, nil
	case <-timeout:
		close(gaveUp)
		return nil, errTimeout
	case <-ctx.Done():
		close(gaveUp)
		return nil, ctx.Err()
	}
}

func (l *flocks) close() error {
	var err error
	for _, f := range []*vfs.FileLock{l.door, l.main} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

func (*flocks) hold(path string) (func() error, error) {
	f := flock.New(path, flock.SetFlag(os.O_RDWR))
	ok, err := f.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, driver.ErrBusy)
	}
	return f.Unlock, nil
}

// held asks for a shared lock, so that two who ask at once do not take each other for the holder.
func (*flocks) held(path string) (bool, error) {
	f := flock.New(path, flock.SetFlag(os.O_RDONLY))
	ok, err := f.TryRLock()
	if err != nil {
		return false, err
	}
	if ok {
		err = f.Unlock()
	}
	return !ok, err
}

const (
	lockFile   = "lock"
	doorSuffix = ".door"
)

// lock takes the store's lock and leaves our name in it.
func (s *store) lock(ctx context.Context) (unlock func() error, err error) {
	unlock, err = s.locks.lock(ctx, s.path(lockFile), s.o.LockTimeout)
	if errors.Is(err, errTimeout) {
		return nil, &driver.LockError{File: lockFile, Holder: s.lastHolder(), Waited: s.o.LockTimeout}
	}
	if err != nil {
		return nil, err
	}
	if err := s.sign(); err != nil {
		return nil, errors.Join(full(err), unlock())
	}
	return unlock, nil
}

// signature is what a holder of the lock leaves in it, of fixed length: "pid host" and spaces.
func signature() []byte {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Appendf(nil, "%-79.79s\n", strconv.Itoa(os.Getpid())+" "+host)
}

// sign writes our name into the lock, if it is not there from the last time.
func (s *store) sign() error {
	if s.note == nil {
		f, err := s.fs.Open(s.path(lockFile), true)
		if notExist(err) {
			f, err = s.fs.Create(s.path(lockFile))
		}
		if err != nil {
			return err
		}
		s.note, s.signature = f, signature()
	}
	there := make([]byte, len(s.signature))
	n, err := readAt(s.note, there, 1)
	if err != nil || bytes.Equal(there[:n], s.signature) {
		return err
	}
	_, err = s.note.WriteAt(s.signature, 1)
	return err
}

// lastHolder is who wrote its name into the lock last.
func (s *store) lastHolder() driver.Owner {
	b, err := vfs.ReadFile(s.fs, s.path(lockFile), 1, 1<<10)
	if err != nil {
		return driver.Owner{}
	}
	var o driver.Owner
	pid, host, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	if o.PID, err = strconv.Atoi(pid); err != nil {
		return driver.Owner{}
	}
	o.Host = host
	return o
}
