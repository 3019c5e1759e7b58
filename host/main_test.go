package host_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// Tests of several processes start this test binary again as a child that does
// one job in one folder.
const (
	childJob = "DASHHOST_TEST_CHILD"
	childDir = "DASHHOST_TEST_CHILD_DIR"
)

func TestMain(m *testing.M) {
	job := map[string]func(dir string) error{"crash": crashRun, "crowd": crowdRun}[os.Getenv(childJob)]
	if job == nil {
		os.Exit(leakChecked(m))
	}
	if err := job(os.Getenv(childDir)); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// child is a command that does a job in a process of its own.
func child(job, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childJob+"="+job, childDir+"="+dir)
	return cmd
}

// leakChecked runs the tests and fails if goroutines are left.
func leakChecked(m *testing.M) int {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
