//go:build !windows

package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

func lock(fd uintptr, wait bool) error {
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		err := unix.Flock(int(fd), how)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
}

func unlock(fd uintptr) error { return unix.Flock(int(fd), unix.LOCK_UN) }
