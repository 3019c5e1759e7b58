package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/openurl"
	"github.com/dashhost/dashhost/internal/bench/bare"
)

// How many threads and processes are measured.
var (
	threadCounts  = [...]int{1, 4, 16, 64, 256}
	processCounts = [...]int{1, 2, 4, 8}
)

// threadsPerProcess is how many threads each process has.
const threadsPerProcess = 16

// appendSize is how many bytes an append carries. They are random: compressing them gains nothing.
const appendSize = 1 << 10

func randomBytes() []byte {
	b := make([]byte, appendSize)
	rand.Read(b)
	return b
}

// until calls f until the time is over and returns how often.
func until(ctx context.Context, d time.Duration, f func() error) (n int, err error) {
	for begun := time.Now(); time.Since(begun) < d; n++ {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := f(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// store opens a new store in the folder of the benchmark.
func (b *bench) store(name string) (*checkpoint.Store, error) {
	return openurl.Store(b.ctx, "file:"+filepath.Join(b.dir, name), nil)
}

// appender claims a thread and returns a function that appends to it and waits until that is durable.
func appender(ctx context.Context, s *checkpoint.Store, thread string) (func() error, error) {
	c, err := s.Claim(ctx, thread, nil)
	if err != nil {
		return nil, err
	}
	body := randomBytes()
	return func() error {
		m, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindTaskDone, Parts: [][]byte{body}})
		if err != nil {
			return err
		}
		return m.Wait(ctx)
	}, nil
}

// oneThread measures the time of one append beside that of one fdatasync.
func (b *bench) oneThread() (err error) {
	s, err := b.store("one")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	appendOne, err := appender(b.ctx, s, "t")
	if err != nil {
		return err
	}
	log, err := bare.Create(filepath.Join(b.dir, "one.bare"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	body := randomBytes()
	return b.add(&benchRow{Name: "append 1 KiB, 1 thread", Unit: unitTime, Yardstick: "fdatasync", Goal: goal(1.25)},
		b.inTurns(1, appendOne, func() error { return log.Append(body) }))
}

// threads measures many threads of one process, each with a thread of the store, beside a bare group commit.
func (b *bench) threads() (err error) {
	for _, n := range threadCounts {
		if err := b.group(n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) group(n int) (err error) {
	s, err := b.store(fmt.Sprint("group", n))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ours := make([]func() error, n)
	for i := range ours {
		if ours[i], err = appender(b.ctx, s, fmt.Sprint("t", i)); err != nil {
			return err
		}
	}
	log, err := bare.Create(filepath.Join(b.dir, fmt.Sprint("group", n, ".bare")))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	body := randomBytes()
	beside := make([]func() error, n)
	for i := range beside {
		beside[i] = func() error { return log.Append(body) }
	}
	return b.add(&benchRow{Name: "appends of 1 KiB, " + count(n, "thread"), Unit: unitRate, Yardstick: "group commit", Goal: goal(0.8)},
		b.atOnce(ours, beside))
}

// together calls each function again and again, at the same time, and returns how many calls ended a second.
func together(ctx context.Context, d time.Duration, fs []func() error) (float64, error) {
	var total atomic.Int64
	errs := make([]error, len(fs))
	var wg sync.WaitGroup
	begun := time.Now()
	for i, f := range fs {
		wg.Go(func() {
			n, err := until(ctx, d, f)
			total.Add(int64(n))
			errs[i] = err
		})
	}
	wg.Wait()
	return float64(total.Load()) / time.Since(begun).Seconds(), errors.Join(errs...)
}

// benchName is the hidden command that a process of the benchmark runs.
const benchName = "bench-appends"

func (a *app) benchAppendsCommand() *cobra.Command {
	var store, name string
	var d time.Duration
	c := &cobra.Command{
		Use:    benchName,
		Short:  "Append to a store, for bench",
		Hidden: true,
		Args:   args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.appendForBench(c.Context(), store, name, d)
		},
	}
	c.Flags().StringVar(&store, "to", "", "the `URL` of the store")
	c.Flags().StringVar(&name, "name", "", "begins the names of threads")
	c.Flags().DurationVar(&d, "for", time.Second, "how long")
	return c
}

// appendForBench says when it is ready, waits for a line, appends, and prints how many appends a second there were.
func (a *app) appendForBench(ctx context.Context, url, name string, d time.Duration) (err error) {
	s, err := openurl.Store(ctx, url, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	fs := make([]func() error, threadsPerProcess)
	for i := range fs {
		if fs[i], err = appender(ctx, s, fmt.Sprint(name, i)); err != nil {
			return err
		}
	}
	a.printf("ready\n")
	in := bufio.NewReader(a.Stdin)
	for {
		if _, err := in.ReadString('\n'); err != nil {
			return nil // the parent is done, or gone
		}
		rate, err := together(ctx, d, fs)
		if err != nil {
			return err
		}
		a.printf("%f\n", rate)
	}
}

// processes measures several processes on one store, beside one process with as many threads.
func (b *bench) processes() error {
	if b.app.Program == "" {
		return nil // this program cannot be run again
	}
	for _, n := range processCounts {
		if err := b.crowd(n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) crowd(n int) (err error) {
	dir := filepath.Join(b.dir, fmt.Sprint("crowd", n))
	children := make([]*benchChild, 0, n)
	defer func() {
		for _, c := range children {
			err = errors.Join(err, c.end())
		}
	}()
	for i := range n {
		c, err := b.child(dir, fmt.Sprint("p", i, "-"))
		if err != nil {
			return err
		}
		children = append(children, c)
	}
	log, err := bare.Create(dir + ".bare")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	body := randomBytes()
	beside := make([]func() error, n*threadsPerProcess)
	for i := range beside {
		beside[i] = func() error { return log.Append(body) }
	}
	name := fmt.Sprintf("appends of 1 KiB, %s of %d", processes(n), threadsPerProcess)
	return b.add(&benchRow{Name: name, Unit: unitRate, Yardstick: "group commit"},
		func() (x, y float64, err error) {
			if x, err = sumOf(children); err != nil {
				return 0, 0, err
			}
			y, err = together(b.ctx, b.slice, beside)
			return x, y, err
		})
}

// sumOf lets the processes append at the same time and adds up their rates.
func sumOf(children []*benchChild) (sum float64, err error) {
	for _, c := range children {
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	for _, c := range children {
		rate, err := c.rate()
		if err != nil {
			return 0, err
		}
		sum += rate
	}
	return sum, nil
}

// benchChild is another process that appends.
type benchChild struct {
	cmd *exec.Cmd
	in  interface {
		Write([]byte) (int, error)
		Close() error
	}
	out *bufio.Scanner
}

func (b *bench) child(dir, name string) (*benchChild, error) {
	cmd := exec.CommandContext(b.ctx, b.app.Program, benchName, "--to", "file:"+dir, "--name", name, "--for", b.slice.String())
	cmd.Stderr = b.app.talk
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s again: %w", b.app.Program, err)
	}
	c := &benchChild{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	if !c.out.Scan() || c.out.Text() != "ready" {
		return nil, errors.Join(errors.New("a process of the benchmark did not begin"), c.end())
	}
	return c, nil
}

func (c *benchChild) begin() error {
	_, err := c.in.Write([]byte("\n"))
	return err
}

func (c *benchChild) rate() (float64, error) {
	if !c.out.Scan() {
		return 0, errors.New("a process of the benchmark ended")
	}
	return strconv.ParseFloat(c.out.Text(), 64)
}

// end lets the process go when it has done its part.
func (c *benchChild) end() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}
