package filestore

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/storetest"
)

// TestLinearizable: two processes and two more handles in this one, all on the same threads.
func TestLinearizable(t *testing.T) {
	dir := t.TempDir() + "/store"
	var clients []storetest.Client
	for range 2 {
		d, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		clients = append(clients, storetest.Handle(d))
		clients = append(clients, serving(t, dir))
	}
	storetest.Linearizable(t, 150, clients...)
}

// serving starts a process that carries out calls on the store.
func serving(t *testing.T, dir string) storetest.Client {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=serve "+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out io.Reader
	if out, err = cmd.StdoutPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the other process: %v", err)
		}
	})
	return storetest.Remote(in, out)
}
