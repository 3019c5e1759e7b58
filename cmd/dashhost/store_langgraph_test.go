package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asker is a client of the socket.
type asker struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func ask(t *testing.T, socket string) *asker {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	a := &asker{t, conn, bufio.NewReader(conn)}
	a.say(`{"id":0,"op":"hello","protocol":1}`, `"protocol":1`)
	return a
}

// say sends a line and wants a reply that contains a text.
func (a *asker) say(line, want string) {
	a.t.Helper()
	if _, err := fmt.Fprintln(a.conn, line); err != nil {
		a.t.Fatal(err)
	}
	got, err := a.in.ReadString('\n')
	if err != nil || !strings.Contains(got, want) {
		a.t.Errorf("%s: %s, %v; want %s", line, got, err, want)
	}
}

// TestLanggraphSocket: several clients on a socket that only its user can open; one that is left over is replaced, one that is in use
// is not; a signal ends the server although clients are connected, and takes the socket away.
func TestLanggraphSocket(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	store := filepath.Join(dir, "store")
	e := newEnviron(t, "store", "langgraph", "--store", store, "--socket", socket)
	signals := make(chan chan<- os.Signal, 1)
	e.Notify = func(c chan<- os.Signal) func() { signals <- c; return func() {} }
	listening, code := make(chan struct{}), make(chan int)
	e.Stderr = &watcher{on: []string{"to LangGraph on " + socket}, call: []func(){func() { close(listening) }}}
	go func() { code <- e.run() }()
	<-listening
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	a, b := ask(t, socket), ask(t, socket)
	a.say(`{"id":1,"op":"put","thread":"t","checkpoint":{"id":"x","value":{"type":"json","data":""},"metadata":{"type":"json","data":""}}}`, `{"id":1,"ok":{}}`)
	b.say(`{"id":1,"op":"get_tuple","thread":"t"}`, `"id":"x"`)
	if code, _, talk := command(t, "store", "langgraph", "--store", store, "--socket", socket); code != exitFailed || !strings.Contains(talk, "another process listens there") {
		t.Errorf("a second server on the socket: exit code %d: %s", code, talk)
	}
	b.say(`{"id":2,"op":"list"}`, `"id":"x"`)
	c := <-signals
	c <- syscall.SIGTERM
	if got := <-code; got != exitDone {
		t.Errorf("exit code %d", got)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v; want the store alone", left, err)
	}
}
