package pgstore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// BenchmarkPostgresAppend appends steps of 1 KiB to as many threads as there are goroutines, over one or several handles (each as
// a process has one), beside plain INSERTs of as many bytes, each a transaction of its own that waits for the disk, on at most 32
// connections. Both take turns, in slices of 200 ms, so that a machine whose speed changes is the same for both.
func BenchmarkPostgresAppend(b *testing.B) {
	for _, c := range []struct{ handles, each int }{{1, 1}, {1, 32}, {1, 256}, {8, 1}, {4, 16}} {
		b.Run(fmt.Sprintf("%dx%d", c.handles, c.each), func(b *testing.B) { benchmarkAppend(b, c.handles, c.each) })
	}
}

func benchmarkAppend(b *testing.B, handles, each int) {
	ctx := context.Background()
	url := fresh(b)
	body := make([]byte, 1<<10)
	for i := range body {
		body[i] = byte(i) | 1
	}
	var workers, plain []func() error
	bare := barePool(b, min(handles*each, 32))
	for h := range handles {
		d := opened(b, url)
		b.Cleanup(func() { d.Close() })
		for i := range each {
			thread, n := fmt.Sprintf("%d/%d", h, i), 0
			if _, err := d.Append(ctx, thread, driver.Expect{}, []*driver.Record{{Kind: driver.KindClaim, Time: 1}}); err != nil {
				b.Fatal(err)
			}
			workers = append(workers, func() error {
				n++
				_, err := d.Append(ctx, thread, driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindStep, ID: fmt.Sprintf("%08d", n), Time: 1, Body: body}})
				return err
			})
			plain = append(plain, func() error {
				_, err := bare.Exec(ctx, "INSERT INTO bare (body) VALUES ($1)", body)
				return err
			})
		}
	}
	var ours, theirs int64
	var slices int
	for b.Loop() {
		ours += slice(b, workers)
		theirs += slice(b, plain)
		slices++
	}
	seconds := float64(slices) * sliceTime.Seconds()
	b.ReportMetric(float64(ours)/seconds, "appends/s")
	b.ReportMetric(float64(theirs)/seconds, "inserts/s")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
	b.ReportMetric(0, "ns/op")
}

const sliceTime = 200 * time.Millisecond

// slice lets all work for a while and returns how often they have.
func slice(b *testing.B, work []func() error) int64 {
	var done atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(sliceTime)
	for _, f := range work {
		wg.Go(func() {
			for time.Now().Before(end) {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return done.Load()
}

func barePool(b *testing.B, conns int) *pgxpool.Pool {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, fmt.Sprintf("%s&pool_max_conns=%d", server(b).URL(), conns))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	if _, err := pool.Exec(ctx, "DROP TABLE IF EXISTS bare; CREATE TABLE bare (id bigserial PRIMARY KEY, body bytea NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	return pool
}
