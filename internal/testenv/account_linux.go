package testenv

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// account is whom a server runs as.
type account struct{ credential *syscall.Credential }

// owner gives dir to a user that a server may run as, and returns it. PostgreSQL refuses to run as root: its package makes the user
// postgres for that.
func owner(dir string) (account, error) {
	if os.Getuid() != 0 {
		return account{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return account{}, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user postgres: %w", err)
	}
	return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, int(uid), int(gid))
}

// attributes of its processes. They end with the test, however that ends.
func (a account) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: a.credential, Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

const (
	kill = syscall.SIGKILL
	stop = syscall.SIGSTOP
	goOn = syscall.SIGCONT
)

// signal sends to a process that may be gone.
func signal(pid int, sig syscall.Signal) { _ = syscall.Kill(pid, sig) }

// children are the processes that a process has started.
func children(pid int) []int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}
