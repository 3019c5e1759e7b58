package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestQuick: it works, prints a line for each peer and part, and leaves nothing.
func TestQuick(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	if err := run(&out, dir, size{rounds: 1, slice: time.Millisecond, threads: 20, each: 3, log: 2 << 20}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"256 threads, dashhost", "256 threads, Pebble", "1 threads, bbolt", "latest of 20 threads with 60", "dashhost, without its index", "of group commit"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, &out)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
