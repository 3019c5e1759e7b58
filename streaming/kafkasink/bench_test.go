package kafkasink

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/filesink"
)

// benchTarget is a topic of six partitions: of a real broker if DASHHOST_KAFKA says so (make bench-stream), else of one in this process.
func benchTarget(b *testing.B) *Target {
	b.Helper()
	target := &Target{Topic: "bench"}
	if os.Getenv("DASHHOST_KAFKA") != "" {
		target.Brokers = benchBroker(b)
	} else {
		_, fake := fake(b)
		target.Brokers = fake.Brokers
	}
	create(b, target, target.Topic, 6, 1<<20)
	return target
}

// benchRecords are records of 200 bytes in all, of 100 threads, with content as events have.
func benchRecords(n int) []driver.Record {
	var all []driver.Record
	for i := range n {
		r := driver.Record{
			ID: [16]byte{2, byte(i >> 16), byte(i >> 8), byte(i)}, Time: time.Now().UnixMicro(), Key: fmt.Appendf(nil, "01KAR3ND9XJ2Q6W8T4V5Y7Z%03d", i%100),
			Headers: []driver.Header{{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}},
		}
		r.Value = append([]byte{0}, fmt.Sprintf("%016x node_end secrets %d ", i*7919, i)...)
		r.Value = append(r.Value, noise(64)...)
		for r.Size() < 200 {
			r.Value = append(r.Value, '.')
		}
		all = append(all, r)
	}
	return all
}

// rate reports events a second, and what one costs of this process's processor time.
func rate(b *testing.B, events int, before time.Duration) {
	b.Helper()
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(cpu()-before)/float64(events), "cpu-ns/event")
}

// BenchmarkEvents is events of 200 bytes on their way to the brokers' acknowledgement: over the sink in batches of several sizes, from
// one and two streams, over a whole publisher; beside the client alone with the same settings, which may have as many in flight as it
// likes, and beside the file sink.
func BenchmarkEvents(b *testing.B) {
	target := benchTarget(b)
	records := benchRecords(65536)
	for _, batch := range []int{256, 2048, 8192} {
		b.Run(fmt.Sprintf("sink/batch=%d", batch), func(b *testing.B) { benchSink(b, openSink(b, target, nil), records, batch, 1) })
	}
	b.Run("sink/batch=2048/streams=2", func(b *testing.B) { benchSink(b, openSink(b, target, nil), records, 2048, 2) })
	for _, c := range []Compression{Zstd, None} {
		b.Run("sink/batch=2048/"+string(c), func(b *testing.B) {
			benchSink(b, openSink(b, target, &Options{Compression: c}), records, 2048, 1)
		})
	}
	b.Run("yardstick=kgo", func(b *testing.B) { benchClient(b, target, records, nil) })
	b.Run("yardstick=kgo/zstd", func(b *testing.B) { benchClient(b, target, records, &Options{Compression: Zstd}) })
	b.Run("publisher", func(b *testing.B) { benchPublisher(b, openSink(b, target, nil)) })
	b.Run("file/batch=2048", func(b *testing.B) { benchSink(b, openFile(b), records, 2048, 1) })
	b.Run("file/publisher", func(b *testing.B) { benchPublisher(b, openFile(b)) })
}

func openFile(b *testing.B) driver.Sink {
	b.Helper()
	s, err := filesink.Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// benchSink writes all records once for each b.N.
func benchSink(b *testing.B, s driver.Sink, records []driver.Record, batch, streams int) {
	b.Helper()
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		done := make(chan error)
		for k := range streams {
			go func() {
				for at := k * len(records) / streams; at < (k+1)*len(records)/streams; at += batch {
					if _, err := s.Write(context.Background(), fmt.Sprint(k), records[at:min(at+batch, len(records))]); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range streams {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		b.Error(err)
	}
	rate(b, b.N*len(records), before)
}

// benchClient is the client library alone: records as they come, as many in flight as fit.
func benchClient(b *testing.B, target *Target, records []driver.Record, o *Options) {
	b.Helper()
	s := &Sink{topic: target.Topic, o: o.withDefaults(), watch: newWatch()}
	s.maxBatch.Store(1 << 20)
	opts, err := target.options(s.watch, s.o.Logger)
	if err != nil {
		b.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, s.producing()...)...)
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		for i := range records {
			r := &records[i]
			k := &kgo.Record{Key: r.Key, Value: r.Value, Timestamp: time.UnixMicro(r.Time), Headers: []kgo.RecordHeader{{Key: r.Headers[0].Key, Value: r.Headers[0].Value}}}
			cl.Produce(context.Background(), k, func(_ *kgo.Record, err error) {
				if err != nil {
					b.Error(err)
				}
			})
		}
		if err := cl.Flush(context.Background()); err != nil {
			b.Error(err)
		}
	}
	rate(b, b.N*len(records), before)
}

// benchPublisher is the whole way of an event.
func benchPublisher(b *testing.B, s driver.Sink) {
	b.Helper()
	p, err := streaming.New(s, nil)
	if err != nil {
		b.Fatal(err)
	}
	stream, err := p.Stream("events", &streaming.StreamOptions{Events: 16384, BlockFor: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	g := newNumbered(100)
	var events []*streaming.Event
	for n := range 65536 {
		events = append(events, g.event(n))
	}
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		for _, e := range events {
			if err := stream.Publish(context.Background(), e); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := p.Close(context.Background()); err != nil {
		b.Error(err)
	}
	rate(b, b.N*len(events), before)
}
