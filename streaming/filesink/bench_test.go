package filesink

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/dashhost/dashhost/streaming/driver"
)

// BenchmarkWrite is records of 250 bytes in batches as a publisher makes them, beside plain writes of the same bytes to one file.
func BenchmarkWrite(b *testing.B) {
	value := make([]byte, 200)
	for i := range value {
		value[i] = byte(i*7 + 1)
	}
	for _, n := range []int{1, 16, 256} {
		batch := make([]driver.Record, n)
		plain := []byte(nil)
		for i := range batch {
			batch[i] = driver.Record{Time: 1_700_000_000_000_000, Key: []byte("01KAR3ND9XJ2Q6W8T4V5Y7Z0AB"), Value: value}
			plain = appendRecord(plain, &batch[i])
		}
		b.Run(fmt.Sprintf("batch=%d/sink", n), func(b *testing.B) {
			s, err := Open(b.TempDir(), &Options{Sync: SyncClose})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Write(context.Background(), "s", batch); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
		})
		b.Run(fmt.Sprintf("batch=%d/yardstick=write", n), func(b *testing.B) {
			f, err := os.Create(b.TempDir() + "/f")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := f.Write(plain); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkRead reads what a sink wrote.
func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(dir, &Options{Sync: SyncClose})
	if err != nil {
		b.Fatal(err)
	}
	for at := 0; at < 100_000; at += 100 {
		if _, err := s.Write(b.Context(), "s", recs(at, 100)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range NewReader(dir, nil).All(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
