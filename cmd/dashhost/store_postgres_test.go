package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/internal/testenv"
)

// TestPostgresStoreCommands: history goes from a folder into PostgreSQL and back byte for byte, is gone on with there, and each
// command on the store does what it does for a folder, or says that it cannot.
func TestPostgresStoreCommands(t *testing.T) {
	if os.Getenv(testenv.PostgresEnv) == "" {
		t.Skip(testenv.PostgresEnv + " is not set: make integration-postgres sets it")
	}
	dir, err := os.MkdirTemp("", "dashhost")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	p, err := testenv.StartPostgres(filepath.Join(dir, "pg"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	path := project(t, `
version: 1
input: {channel: text}
modules: {clock: {path: clock.wasm}}
channels: {text: {}, now: {}}
nodes: {tick: {module: clock, writes: [now], grants: {clock: true}}}
edges:
  - {from: START, to: tick}
`)
	folder, back, pg := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "back"), p.URL()
	ok := func(want int, args ...string) string {
		t.Helper()
		code, out, talk := command(t, args...)
		if code != want {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, out, talk)
		}
		return out + talk
	}
	for _, thread := range []string{"a", "b", "a"} {
		ok(exitDone, "run", path, "--thread", thread, "--input-json", "1", "--store", folder)
	}
	ok(exitDone, "store", "copy", folder, pg)
	ok(exitDone, "store", "copy", pg, back)
	want := ok(exitDone, "store", "export", "--store", folder)
	for _, s := range []string{pg, back} {
		if got := ok(exitDone, "store", "export", "--store", s); got != want {
			t.Errorf("the history in %s is not the one that was copied", s)
		}
	}
	if again := ok(exitDone, "store", "copy", folder, pg); !strings.Contains(again, "copied    0 threads") {
		t.Error(again)
	}
	ok(exitDone, "run", path, "--thread", "a", "--input-json", "2", "--store", pg)
	ok(exitFailed, "store", "copy", folder, pg) // a went on there
	for _, c := range []struct {
		want int
		args string
	}{
		{exitDone, "fsck"}, {exitDone, "stats"}, {exitDone, "stats --threads"}, {exitDone, "repair"}, {exitDone, "prune --keep-last 1"}, {exitDone, "fsck"},
		{exitFailed, "backup " + filepath.Join(dir, "b.tar")}, {exitFailed, "restore " + path},
	} {
		ok(c.want, append(append([]string{"store"}, strings.Fields(c.args)...), "--store", pg)...)
	}
	ok(exitDone, "thread", "state", "a", "--store", pg)
}
