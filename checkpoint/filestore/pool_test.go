package filestore

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// TestDescriptors: a log of many segments is read and written with a bounded number of open files.
func TestDescriptors(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip("no /proc to count descriptors in")
	}
	ctx := context.Background()
	dir := t.TempDir() + "/s"
	d, err := Open(dir, &Options{SegmentSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	claim(t, d, "t")
	const n = 3 * maxOpen
	body := noZeros(60 << 10)
	for range n {
		if _, err := d.Append(ctx, "t", driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindProgress, Time: 1, Size: 60 << 10, Body: body}}); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", os.Getpid()))
		if err != nil {
			t.Fatal(err)
		}
		here := 0
		for _, f := range fds {
			if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && len(to) > len(dir) && to[:len(dir)] == dir {
				here++
			}
		}
		return here
	}
	for range 2 {
		got := 0
		for _, err := range d.Read(ctx, "t", driver.Query{Kinds: driver.Kinds(driver.KindProgress)}) {
			if err != nil {
				t.Fatal(err)
			}
			got++
		}
		if got != n {
			t.Errorf("%d records, want %d", got, n)
		}
		if open := count(); open > maxOpen+8 {
			t.Errorf("%d files are open, want at most %d and a few", open, maxOpen)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if open := count(); open != 0 {
			t.Errorf("%d files are open after Close", open)
		}
		d = mustOpen(t, dir)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
