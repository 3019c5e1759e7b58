package filestore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// TestDiskFull: a warning comes before, then a typed error with nothing written; what is there can be read, and when there is space
// again it goes on.
func TestDiskFull(t *testing.T) {
	ctx := context.Background()
	m := &vfs.Mem{Space: 1 << 20}
	l := newMemLocks(m)
	var log bytes.Buffer
	s := checkpoint.New(openMem(t, m, l, Options{SegmentSize: 256 << 10, LowSpace: 512 << 10}), &checkpoint.Options{Logger: hclog.New(&hclog.LoggerOptions{Output: &log})})
	c, err := s.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	value := strings.Repeat("v", 9_000)
	last := ""
	save := func() error {
		r := &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "x", Value: noZeros(9_000)}}, Meta: []byte(value)}
		m, err := c.Append(ctx, r)
		if err == nil {
			err = m.Wait(ctx)
		}
		if err == nil {
			last = r.ID
		}
		return err
	}
	n := 0
	for err = save(); err == nil; err = save() {
		if n++; n > 100_000 {
			t.Fatal("the disk is never full")
		}
	}
	if !errors.Is(err, checkpoint.ErrFull) || errors.Is(err, checkpoint.ErrUnknown) {
		t.Fatalf("append to a full disk: %v", err)
	}
	if warnings := strings.Count(log.String(), "little space"); warnings == 0 || warnings > 6 {
		t.Errorf("%d warnings:\n%s", warnings, log.String())
	}
	if st, err := s.Stats(ctx); err != nil || !st.Low || st.Free > 512<<10 {
		t.Errorf("%+v, %v", st, err)
	}
	check := func() {
		t.Helper()
		r, _, err := s.State(ctx, "t", "", "")
		if err != nil || r.ID != last {
			t.Fatalf("state: %v, want %s", err, last)
		}
	}
	for range 3 {
		check()
		if err := save(); !errors.Is(err, checkpoint.ErrFull) {
			t.Fatalf("again: %v", err)
		}
	}
	m.SetSpace(4 << 20)
	for range 20 {
		if err := save(); err != nil {
			t.Fatalf("with space again: %v", err)
		}
		check()
	}
	if _, err := s.Prune(ctx, &checkpoint.PruneOptions{KeepLast: 1, Now: true}); err != nil {
		t.Fatal(err)
	}
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	crash := vfs.Replay(m.Log(), func() bool { return false })
	s = checkpoint.New(openMem(t, crash, newMemLocks(crash), Options{}), nil)
	check()
	if v, err := s.Verify(ctx, nil); err != nil || !v.Sound() {
		t.Errorf("%+v, %v", v, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullEverywhere gives a workload every amount of space: whatever finds none says so, and nothing that was acknowledged is lost.
func TestFullEverywhere(t *testing.T) {
	whole := &vfs.Mem{}
	if err := (&journal{maintain: true}).run(t, whole, newMemLocks(whole)); err != nil {
		t.Fatal(err)
	}
	step := int64(37_003)
	if soak() {
		step = 1009
	}
	fulls := 0
	for space := int64(1000); space < 1<<20; space += step {
		m := &vfs.Mem{Space: space}
		j := &journal{maintain: true}
		err := j.run(t, m, newMemLocks(m))
		if err != nil {
			fulls++
			if !errors.Is(err, driver.ErrFull) {
				t.Fatalf("%d bytes: %v, want %v", space, err, driver.ErrFull)
			}
		}
		log := m.Log()
		after := vfs.Replay(log, func() bool { return false })
		if err := j.check(after, len(log)); err != nil {
			t.Fatalf("%d bytes, then a power cut: %v", space, err)
		}
	}
	if fulls == 0 {
		t.Error("there was always space")
	}
	t.Logf("%d amounts of space were too little", fulls)
}

// TestReadOnlyFolder: a folder that cannot be written is opened for reading, and otherwise refused by name.
func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir() + "/s"
	d := mustOpen(t, dir)
	claim(t, d, "t")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir + "/log/00000001", dir + "/log", dir} {
		if err := os.Chmod(name, 0o500); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := os.Chmod(name, 0o700); err != nil {
				t.Error(err)
			}
		}()
	}
	if f, err := os.OpenFile(dir+"/log/00000001", os.O_RDWR, 0); err == nil {
		f.Close()
		t.Skip("this user may write everything")
	}
	if _, err := Open(dir, nil); !errors.Is(err, driver.ErrReadOnly) {
		t.Errorf("open for writing: %v", err)
	}
	d, err := Open(dir, &Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if th, err := d.Thread(context.Background(), "t"); err != nil || th.Epoch != 1 {
		t.Errorf("%+v, %v", th, err)
	}
	for what, err := range map[string]error{
		"append": func() error {
			_, err := d.Append(context.Background(), "t", driver.Expect{Epoch: 1}, nil)
			return err
		}(),
		"drop":  d.Drop(context.Background(), "t", 2),
		"prune": func() error { _, err := d.(driver.Maintenance).Prune(context.Background(), nil); return err }(),
	} {
		if !errors.Is(err, driver.ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
