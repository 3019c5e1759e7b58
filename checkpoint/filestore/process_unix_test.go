//go:build !windows

package filestore

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

// TestStopped: a process is stopped while it holds the lock. Who writes is told who it is, in time; who reads does not notice; when it
// goes on, so do all, and nothing is lost.
func TestStopped(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir() + "/s"
	first := mustOpen(t, dir)
	claim(t, first, "t")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	cmd, in, out := startWith(t, "hold "+dir)
	if !out.Scan() {
		t.Fatal("the child has no lock")
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir, &Options{LockTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	progress := func() error {
		_, err := d.Append(ctx, "t", driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindProgress, Time: 1}})
		return err
	}
	for range 3 {
		start := time.Now()
		var busy *driver.LockError
		if err := progress(); !errors.As(err, &busy) || busy.Holder.PID != cmd.Process.Pid {
			t.Errorf("append: %v, want the lock's holder %d", err, cmd.Process.Pid)
		}
		if took := time.Since(start); took < 100*time.Millisecond {
			t.Errorf("gave up after %v", took)
		}
		if th, err := d.Thread(ctx, "t"); err != nil || th.Records != 1 {
			t.Errorf("read: %+v, %v", th, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := progress(); err != nil {
			t.Fatalf("append after the process went on: %v", err)
		}
	}
	if th, err := d.Thread(ctx, "t"); err != nil || th.Records != 11 {
		t.Errorf("%+v, %v: want 11 records", th, err)
	}
	if err := errors.Join(d.Close(), Verified(dir)); err != nil {
		t.Fatal(err)
	}
	t.Log("3 appends against a stopped holder of the lock: each a typed error that names it; 10 after it went on")
}

// TestTakeOver: a live claim of another process is taken over. That one is fenced at its next append, and what it had acknowledged
// is there.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir() + "/s"
	cmd, out := start(t, "loop "+dir)
	for range 3 {
		if !out.Scan() {
			t.Fatal("the child said nothing")
		}
	}
	s := checkpoint.New(mustOpen(t, dir), nil)
	var busy *checkpoint.BusyError
	if _, err := s.Claim(ctx, "t", nil); !errors.As(err, &busy) || busy.Holder.PID != cmd.Process.Pid {
		t.Fatalf("claim of what a live process holds: %v, want its holder %d", err, cmd.Process.Pid)
	}
	c, err := s.Claim(ctx, "t", &checkpoint.ClaimOptions{TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	acked, last := 3, ""
	for out.Scan() {
		if last = out.Text(); !strings.HasPrefix(last, "error") {
			acked++
		}
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(last, driver.ErrFenced.Error()) {
		t.Errorf("the old holder ended with %v and said %q, want %q", err, last, driver.ErrFenced)
	}
	snap, err := c.Load(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for r, err := range s.Records(ctx, "t") {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == checkpoint.KindStep {
			steps++
			if r.Epoch != 1 {
				t.Errorf("step %d of epoch %d", steps, r.Epoch)
			}
		}
	}
	if steps < acked || steps > acked+1 || snap.Head == nil {
		t.Errorf("%d steps, %d were acknowledged", steps, acked)
	}
	if _, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep}); err != nil {
		t.Errorf("append of the new holder: %v", err)
	}
	if err := errors.Join(c.Release(ctx, nil), s.Close(), Verified(dir)); err != nil {
		t.Fatal(err)
	}
}

// TestPruneBesideProcesses: two processes save all the time while a third prunes; nothing is lost, nothing is called damaged.
func TestPruneBesideProcesses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir() + "/s"
	n := 200
	if soak() {
		n = 20_000
	}
	d, err := Open(dir, &Options{SegmentSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	s := checkpoint.New(d, nil)
	ended := make(chan error, 2)
	for range 2 {
		cmd, out := start(t, "saves "+dir+" one "+strconv.Itoa(n))
		go func() {
			for out.Scan() {
				t.Log(out.Text())
			}
			ended <- cmd.Wait()
		}()
	}
	prunes, removed := 0, 0
	for left := 2; left > 0; {
		select {
		case err := <-ended:
			if left--; err != nil {
				t.Fatal(err)
			}
		default:
			rep, err := s.Prune(ctx, &checkpoint.PruneOptions{KeepLast: 3, Now: true})
			if err != nil {
				t.Fatalf("prune %d: %v", prunes, err)
			}
			prunes++
			removed += rep.Segments
		}
	}
	_, st, err := s.State(ctx, "one", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := st.Get("n"); string(v) != strconv.Itoa(2*n) {
		t.Errorf("counted to %s, want %d", v, 2*n)
	}
	if err := errors.Join(s.Close(), Verified(dir)); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d saves of two processes, %d prunes beside them removed %d segments: 0 lost", 2*n, prunes, removed)
}
