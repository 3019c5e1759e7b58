package filestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// BenchmarkDurable appends 1 KiB and waits, beside a bare fdatasync of as many bytes into a zero-filled file; both alternate, so
// that a disk whose speed changes is the same for both.
func BenchmarkDurable(b *testing.B) {
	ctx := context.Background()
	dir := b.TempDir()
	s, err := Open(dir+"/s", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	raw := newBare(b, dir)
	body := noZeros(1 << 10)
	claim(b, s, "t")
	var ours, bare, ratio []float64
	for b.Loop() {
		start := time.Now()
		c, err := s.Append(ctx, "t", driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindTaskDone, Time: 1, Size: 1 << 10, Body: body}})
		if err == nil {
			err = c.Wait(ctx)
		}
		if err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		raw.append(b, body)
		o, r := float64(middle.Sub(start)), float64(time.Since(middle))
		ours, bare, ratio = append(ours, o), append(bare, r), append(ratio, o/r)
	}
	b.ReportMetric(median(ours), "ns/append")
	b.ReportMetric(median(bare), "ns/bare")
	b.ReportMetric(median(ratio), "ratio")
}

func claim(tb testing.TB, d driver.Driver, thread string) {
	_, err := d.Append(context.Background(), thread, driver.Expect{}, []*driver.Record{{Kind: driver.KindClaim, Time: 1, Owner: "o"}})
	if err != nil {
		tb.Fatal(err)
	}
}

// bare is the least a group commit must do: one file, zero-filled ahead, one write and one fdatasync a group.
type bare struct {
	file vfs.File
	off  int64
	size int64

	mu     sync.Mutex
	syncMu sync.Mutex
	synced int64
}

func newBare(tb testing.TB, dir string) *bare {
	f, err := vfs.OS{}.Create(dir + "/bare")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return &bare{file: f}
}

func (r *bare) append(tb testing.TB, body []byte) {
	r.mu.Lock()
	if r.off+int64(len(body)) > r.size {
		if err := writeZeros(r.file, r.size, r.size+maxGrow); err != nil {
			tb.Error(err)
		}
		if err := r.file.Sync(); err != nil {
			tb.Error(err)
		}
		r.size += maxGrow
	}
	if _, err := r.file.WriteAt(body, r.off); err != nil {
		tb.Error(err)
	}
	r.off += int64(len(body))
	end := r.off
	r.mu.Unlock()
	r.syncMu.Lock()
	defer r.syncMu.Unlock()
	if r.synced >= end {
		return
	}
	r.mu.Lock()
	to := r.off
	r.mu.Unlock()
	if err := r.file.SyncData(); err != nil {
		tb.Error(err)
	}
	r.synced = to
}

// BenchmarkGroup appends 1 KiB from many goroutines, each to a thread of its own, beside a bare group commit on one file. Rounds of
// both alternate, and medians are reported, so that a disk whose speed changes is the same for both.
func BenchmarkGroup(b *testing.B) {
	for _, n := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ctx := context.Background()
			dir := b.TempDir()
			s, err := Open(dir+"/s", nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for g := range n {
				claim(b, s, fmt.Sprint("t", g))
			}
			raw := newBare(b, dir)
			body := noZeros(1 << 10)
			const each = 20
			round := func(f func(g int)) float64 {
				start := time.Now()
				var wg sync.WaitGroup
				for g := range n {
					wg.Go(func() {
						for range each {
							f(g)
						}
					})
				}
				wg.Wait()
				return float64(n*each) / time.Since(start).Seconds()
			}
			var ours, bare, ratio []float64
			for b.Loop() {
				o := round(func(g int) {
					c, err := s.Append(ctx, fmt.Sprint("t", g), driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindTaskDone, Time: 1, Size: 1 << 10, Body: body}})
					if err == nil {
						err = c.Wait(ctx)
					}
					if err != nil {
						b.Error(err)
					}
				})
				r := round(func(int) { raw.append(b, body) })
				ours, bare, ratio = append(ours, o), append(bare, r), append(ratio, o/r)
			}
			b.ReportMetric(median(ours), "appends/s")
			b.ReportMetric(median(bare), "bare/s")
			b.ReportMetric(median(ratio), "x-bare")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func noZeros(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) | 1
	}
	return b
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkProcesses appends from several processes of 16 goroutines each to one store. worst is the longest that one append of a
// process took, lock included, sync not.
func BenchmarkProcesses(b *testing.B) {
	for _, n := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var rates, worst []float64
			for b.Loop() {
				dir := b.TempDir() + "/s"
				if err := mustOpen(b, dir).Close(); err != nil {
					b.Fatal(err)
				}
				const each = 4000
				var cmds []*exec.Cmd
				var outs []*bufio.Scanner
				var ins []io.WriteCloser
				for range n {
					cmd, in, out := startWith(b, fmt.Sprintf("burst %s 16 %d", dir, each))
					cmds, ins, outs = append(cmds, cmd), append(ins, in), append(outs, out)
					if !out.Scan() {
						b.Fatal("the child is not ready")
					}
				}
				start := time.Now()
				for _, in := range ins {
					if _, err := fmt.Fprintln(in); err != nil {
						b.Fatal(err)
					}
				}
				for _, out := range outs {
					if !out.Scan() {
						b.Fatal("the child said nothing")
					}
					w, err := strconv.ParseFloat(out.Text(), 64)
					if err != nil {
						b.Fatal(out.Text())
					}
					worst = append(worst, w)
				}
				rates = append(rates, float64(n*each)/time.Since(start).Seconds())
				for _, cmd := range cmds {
					if err := cmd.Wait(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(median(rates), "appends/s")
			b.ReportMetric(slices.Max(worst), "worst-ms")
			b.ReportMetric(median(worst), "median-worst-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// burst appends from so many goroutines, and says how long the slowest append took, in milliseconds.
func burst(d driver.Driver, goroutines, total int) error {
	ctx := context.Background()
	body := noZeros(1 << 10)
	thread := func(g int) string { return fmt.Sprintf("%d/%d", os.Getpid(), g) }
	for g := range goroutines {
		if _, err := d.Append(ctx, thread(g), driver.Expect{}, []*driver.Record{{Kind: driver.KindClaim, Time: 1, Owner: "o"}}); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	worst := make([]time.Duration, goroutines)
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for range total / goroutines {
				start := time.Now()
				c, err := d.Append(ctx, thread(g), driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindTaskDone, Time: 1, Size: 1 << 10, Body: body}})
				worst[g] = max(worst[g], time.Since(start))
				if err == nil {
					err = c.Wait(ctx)
				}
				if err != nil {
					errs[g] = err
					return
				}
			}
		})
	}
	wg.Wait()
	fmt.Println(float64(slices.Max(worst).Microseconds()) / 1000)
	return errors.Join(append(errs, d.Close())...)
}
