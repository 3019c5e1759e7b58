package filestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/storetest"
)

// childMode makes the test binary play another process: "saves DIR THREAD N", "loop DIR", "hold DIR", "burst DIR GOROUTINES N".
const childMode = "FILESTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		if err := child(strings.Fields(mode)); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// start runs the test binary as a child.
func start(tb testing.TB, mode string) (*exec.Cmd, *bufio.Scanner) {
	tb.Helper()
	cmd, in, out := startWith(tb, mode)
	if err := in.Close(); err != nil {
		tb.Fatal(err)
	}
	return cmd, out
}

// startWith is start, and the child can be talked to.
func startWith(tb testing.TB, mode string) (*exec.Cmd, io.WriteCloser, *bufio.Scanner) {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+mode)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return cmd, in, bufio.NewScanner(out)
}

func child(args []string) error {
	d, err := Open(args[1], nil)
	if err != nil {
		return err
	}
	if args[0] == "burst" {
		goroutines, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		total, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		return burst(d, goroutines, total)
	}
	if args[0] == "serve" {
		return errors.Join(storetest.Serve(d, os.Stdin, os.Stdout), d.Close())
	}
	s := checkpoint.New(d, nil)
	switch args[0] {
	case "saves":
		n, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		return errors.Join(saves(s, args[2], n), s.Close())
	case "loop":
		return loop(s)
	case "hold":
		unlock, err := d.(*store).lock(context.Background())
		if err != nil {
			return err
		}
		fmt.Println("locked")
		_, err = bufio.NewReader(os.Stdin).ReadString('\n')
		return errors.Join(err, unlock())
	}
	return fmt.Errorf("unknown mode %q", args[0])
}

// saves adds one to a counter n times. thread "*" is one of its own, otherwise it is claimed for each save.
func saves(s *checkpoint.Store, thread string, n int) error {
	ctx := context.Background()
	own := thread == "*"
	if own {
		thread = fmt.Sprint("own", os.Getpid())
	}
	var c *checkpoint.Claim
	for i := range n {
		var err error
		if c == nil {
			if c, err = s.Claim(ctx, thread, &checkpoint.ClaimOptions{Wait: time.Minute}); err != nil {
				return err
			}
		}
		snap, err := c.Load(ctx, "")
		if err != nil {
			return err
		}
		v, _ := snap.State.Get("n")
		old, err := strconv.Atoi("0" + string(v))
		if err != nil {
			return err
		}
		m, err := c.Append(ctx, &checkpoint.Record{
			Kind: checkpoint.KindStep, Meta: fmt.Appendf(nil, "%d %d", os.Getpid(), i),
			Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "n", Value: strconv.AppendInt(nil, int64(old+1), 10)}},
		})
		if err != nil {
			return err
		}
		if i%50 == 0 {
			if err := m.Wait(ctx); err != nil {
				return err
			}
		}
		if !own && i%10 == 9 {
			if err := c.Release(ctx, nil); err != nil {
				return err
			}
			c = nil
		}
	}
	return nil
}

// TestLesson05_TwoProcesses: two processes x 1000 saves on one store, and on one thread: none lost, none interleaved.
func TestLesson05_TwoProcesses(t *testing.T) {
	t.Parallel()
	const each = 1000
	for _, thread := range []string{"*", "one"} {
		dir := t.TempDir() + "/s"
		var cmds []*exec.Cmd
		for range 2 {
			cmd, out := start(t, fmt.Sprintf("saves %s %s %d", dir, thread, each))
			go func() {
				for out.Scan() {
					t.Log(out.Text())
				}
			}()
			cmds = append(cmds, cmd)
		}
		for _, cmd := range cmds {
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		s := checkpoint.New(mustOpen(t, dir), nil)
		total := 0
		for info, err := range s.Threads(context.Background(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			_, st, err := s.State(context.Background(), info.Thread, "", "")
			if err != nil {
				t.Fatal(err)
			}
			v, _ := st.Get("n")
			n, err := strconv.Atoi(string(v))
			if err != nil {
				t.Fatal(err)
			}
			total += n
			checkEpochs(t, s, info.Thread)
		}
		if total != 2*each {
			t.Errorf("thread %s: %d saves, want %d", thread, total, 2*each)
		}
		if err := errors.Join(s.Close(), Verified(dir)); err != nil {
			t.Error(err)
		}
	}
}

// checkEpochs: within an epoch all steps are of one process.
func checkEpochs(t *testing.T, s *checkpoint.Store, thread string) {
	t.Helper()
	by := map[uint64]string{}
	for r, err := range s.Records(context.Background(), thread) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != checkpoint.KindStep {
			continue
		}
		pid, _, _ := strings.Cut(string(r.Meta), " ")
		if by[r.Epoch] == "" {
			by[r.Epoch] = pid
		}
		if by[r.Epoch] != pid {
			t.Fatalf("epoch %d of %q has steps of processes %s and %s", r.Epoch, thread, by[r.Epoch], pid)
		}
	}
}

func mustOpen(tb testing.TB, dir string) driver.Driver {
	tb.Helper()
	d, err := Open(dir, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// loop appends for ever and says what is acknowledged.
func loop(s *checkpoint.Store) error {
	ctx := context.Background()
	c, err := s.Claim(ctx, "t", nil)
	if err != nil {
		return err
	}
	snap, err := c.Load(ctx, "")
	if err != nil {
		return err
	}
	v, _ := snap.State.Get("n")
	n, err := strconv.Atoi("0" + string(v))
	if err != nil {
		return err
	}
	fill := strings.Repeat("f", 5000)
	for {
		n++
		m, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{
			{Kind: checkpoint.OpPut, Name: "n", Value: strconv.AppendInt(nil, int64(n), 10)}, {Kind: checkpoint.OpPut, Name: "f", Value: []byte(fill[:n%5000])}}})
		if err == nil {
			err = m.Wait(ctx)
		}
		if err != nil {
			return err
		}
		fmt.Println(n) // the witness has it before the next one begins
	}
}

// TestKill kills a process in mid-append, again and again. What it said was acknowledged is there, and at most one more.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 15
	if soak() {
		rounds = 1000
	}
	dir := t.TempDir() + "/s"
	acked := 0
	for round := range rounds {
		cmd, out := start(t, "loop "+dir)
		for i := 0; i <= 3+round%7 && out.Scan(); i++ {
			n, err := strconv.Atoi(out.Text())
			if err != nil {
				t.Fatal(out.Text())
			}
			if n != acked+1 && !(i == 0 && n == acked+2) { // the last one of the round before may have been written, and not said
				t.Fatalf("round %d: acknowledged %d after %d", round, n, acked)
			}
			acked = n
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for out.Scan() {
			n, err := strconv.Atoi(out.Text())
			if err != nil {
				t.Fatal(out.Text())
			}
			acked = n
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		s := checkpoint.New(mustOpen(t, dir), nil)
		info, err := s.Thread(context.Background(), "t")
		if err != nil || !info.Claimed || info.Alive {
			t.Fatalf("thread of a killed process: %+v, %v", info, err)
		}
		_, st, err := s.State(context.Background(), "t", "", "")
		if err != nil {
			t.Fatal(err)
		}
		v, _ := st.Get("n")
		n, err := strconv.Atoi(string(v))
		if err != nil || n < acked || n > acked+1 {
			t.Fatalf("round %d: state %s (%v), acknowledged %d", round, v, err, acked)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := Verified(dir); err != nil {
		t.Error(err)
	}
}

// TestLockTimeout: a process that stopped while it holds the lock. Writers are told who; readers do not notice.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir() + "/s"
	claim(t, mustOpen(t, dir), "t")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=hold "+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the child has no lock")
	}
	d, err := Open(dir, &Options{LockTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatalf("open while somebody holds the lock: %v", err)
	}
	if th, err := d.Thread(ctx, "t"); err != nil || th.Epoch != 1 {
		t.Errorf("read while somebody holds the lock: %+v, %v", th, err)
	}
	var busy *driver.LockError
	_, err = d.Append(ctx, "t", driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindProgress, Time: 1}})
	if !errors.As(err, &busy) || !errors.Is(err, driver.ErrBusy) || busy.Holder.PID != cmd.Process.Pid {
		t.Errorf("append: %v, want the lock's holder %d", err, cmd.Process.Pid)
	}
	if _, err := fmt.Fprintln(in); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Append(ctx, "t", driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindProgress, Time: 1}}); err != nil {
		t.Errorf("append after the lock was given back: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
