package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

// fill makes a store of so many threads and steps of about size bytes, and returns how large its log is.
func fill(b *testing.B, dir string, threads, steps, size int) int64 {
	b.Helper()
	ctx := context.Background()
	d := mustOpen(b, dir)
	s := checkpoint.New(d, nil)
	value := make([]byte, size)
	noise := rand.NewChaCha8([32]byte{1})
	claims := make([]*checkpoint.Claim, threads)
	for i := range claims {
		c, err := s.Claim(ctx, fmt.Sprintf("thread/%06d", i), nil)
		if err != nil {
			b.Fatal(err)
		}
		claims[i] = c
	}
	for i := range steps {
		noise.Read(value) // what does not get smaller
		_, err := claims[i%threads].Append(ctx, &checkpoint.Record{
			Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "x", Value: fmt.Appendf(value[:0:0], "%d%s", i, value)}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	names, err := os.ReadDir(dir + "/log")
	if err != nil {
		b.Fatal(err)
	}
	var total int64
	for _, n := range names {
		info, err := n.Info()
		if err != nil {
			b.Fatal(err)
		}
		total += info.Size()
	}
	return total
}

// cat reads every file of a log in pieces, as cat does.
func cat(b *testing.B, dir string) time.Duration {
	start := time.Now()
	names, err := os.ReadDir(dir + "/log")
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 128<<10)
	for _, n := range names {
		f, err := os.Open(dir + "/log/" + n.Name())
		if err != nil {
			b.Fatal(err)
		}
		for {
			if n, _ := f.Read(buf); n == 0 {
				break
			}
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// BenchmarkVerify verifies a store, beside reading the same files without looking at them, in turn.
func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{200, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			dir := b.TempDir() + "/s"
			total := fill(b, dir, 100, (256<<20)/(size+400), size)
			d := mustOpen(b, dir)
			defer d.Close()
			var ours, bare, ratio []float64
			for b.Loop() {
				start := time.Now()
				if err := d.(driver.Maintenance).Verify(context.Background(), func(d *driver.Damage) { b.Error(d) }, nil); err != nil {
					b.Fatal(err)
				}
				o := time.Since(start)
				c := cat(b, dir)
				gb := float64(total) / 1e9
				ours, bare, ratio = append(ours, gb/o.Seconds()), append(bare, gb/c.Seconds()), append(ratio, c.Seconds()/o.Seconds())
			}
			b.ReportMetric(median(ours), "GB/s")
			b.ReportMetric(median(bare), "cat-GB/s")
			b.ReportMetric(median(ratio), "x-cat")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkOpen opens a store of 1 GB with its index.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir() + "/s"
	total := fill(b, dir, 1000, 150_000, 7000)
	b.ReportMetric(float64(total)/1e9, "GB")
	for b.Loop() {
		if err := mustOpen(b, dir).Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLatest reads the newest state of one of 100,000 threads with a million checkpoints.
func BenchmarkLatest(b *testing.B) {
	ctx := context.Background()
	dir := b.TempDir() + "/s"
	const threads = 100_000
	fill(b, dir, threads, 1_000_000, 100)
	start := time.Now()
	s := checkpoint.New(mustOpen(b, dir), nil)
	opened := time.Since(start)
	i := 0
	for b.Loop() {
		i++
		if _, _, err := s.State(ctx, fmt.Sprintf("thread/%06d", i*7919%threads), "", ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(opened.Seconds(), "s-to-open")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
