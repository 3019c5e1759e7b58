//go:build !linux

package testenv

import (
	"errors"
	"syscall"
)

// account is whom a server runs as.
type account struct{}

// owner refuses: killing a server with all of its processes is written for Linux only.
func owner(string) (account, error) {
	return account{}, errors.New("servers are started on Linux only")
}

func (account) attributes() *syscall.SysProcAttr { return nil }

const (
	kill = syscall.Signal(9)
	stop = syscall.Signal(19)
	goOn = syscall.Signal(18)
)

func signal(int, syscall.Signal) {}

func children(int) []int { return nil }
