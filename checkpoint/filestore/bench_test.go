package filestore

import (
	"context"
	"fmt"
	"os"
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
	body := make([]byte, 1<<10)
	for i := range body {
		body[i] = byte(i) | 1
	}
	claim(b, s, "t")
	var ours, bare time.Duration
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
		ours += middle.Sub(start)
		bare += time.Since(middle)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/append")
	b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "ns/bare")
	b.ReportMetric(float64(ours)/float64(bare), "ratio")
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

// BenchmarkGroup appends 1 KiB from many goroutines, each to a thread of its own, beside a bare group commit on one file.
func BenchmarkGroup(b *testing.B) {
	for _, n := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			ctx := context.Background()
			dir, err := os.MkdirTemp("", "bench")
			if err != nil {
				b.Fatal(err)
			}
			defer os.RemoveAll(dir)
			s, err := Open(dir+"/s", nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			body := make([]byte, 1<<10)
			for i := range body {
				body[i] = byte(i) | 1
			}
			for g := range n {
				claim(b, s, fmt.Sprint("t", g))
			}
			raw := newBare(b, dir)
			spread := func(f func(g int)) time.Duration {
				start := time.Now()
				var wg sync.WaitGroup
				for g := range n {
					wg.Go(func() {
						for range b.N {
							f(g)
						}
					})
				}
				wg.Wait()
				return time.Since(start)
			}
			b.ResetTimer()
			ours := spread(func(g int) {
				c, err := s.Append(ctx, fmt.Sprint("t", g), driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindTaskDone, Time: 1, Size: 1 << 10, Body: body}})
				if err == nil {
					err = c.Wait(ctx)
				}
				if err != nil {
					b.Error(err)
				}
			})
			bare := spread(func(int) { raw.append(b, body) })
			total := float64(n) * float64(b.N)
			b.ReportMetric(total/ours.Seconds(), "appends/s")
			b.ReportMetric(total/bare.Seconds(), "bare/s")
			b.ReportMetric(float64(bare)/float64(ours), "x-bare")
			b.ReportMetric(0, "ns/op")
		})
	}
}
