package streaming_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/eventpb"
	"github.com/dashhost/dashhost/streaming/memsink"
)

// typical is a lifecycle event as a run makes most.
func typical() *streaming.Event {
	return &streaming.Event{
		Type: streaming.TypeNodeEnd, Thread: "01KAR3ND9XJ2Q6W8T4V5Y7Z0AB", Run: "01KAR3ND9XJ2Q6W8T4V5Y7Z0AC", Node: "secrets", Step: 3, Attempt: 1,
		Seq: 12345, ID: [16]byte{1, 2, 3}, Time: 1_768_000_000_123_456, Duration: 1_234_000,
		Trace: streaming.Trace{Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
}

// discard takes everything.
type discard struct{ driver.Sink }

func (discard) Write(_ context.Context, _ string, records []driver.Record) (int, error) {
	return len(records), nil
}

// BenchmarkPublish is the whole way of an event through a publisher, until the sink has it: with one and with two producers on
// streams of their own and on one stream.
func BenchmarkPublish(b *testing.B) {
	for _, c := range []struct{ producers, streams int }{{1, 1}, {2, 1}, {2, 2}} {
		b.Run(fmt.Sprintf("producers=%d/streams=%d", c.producers, c.streams), func(b *testing.B) {
			p, err := streaming.New(discard{memsink.New(nil)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			var streams []*streaming.Stream
			for i := range c.streams {
				s, err := p.Stream(fmt.Sprint(i), &streaming.StreamOptions{Events: 8192, BlockFor: 1 << 40})
				if err != nil {
					b.Fatal(err)
				}
				streams = append(streams, s)
			}
			b.ReportAllocs()
			b.ResetTimer()
			done := make(chan error)
			for g := range c.producers {
				go func() {
					e, s := typical(), streams[g%c.streams]
					for range b.N / c.producers {
						if err := s.Publish(context.Background(), e); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			for range c.producers {
				if err := <-done; err != nil {
					b.Error(err)
				}
			}
			shut(b, p)
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	mem := memsink.New(nil)
	p, s := newStream(b, mem, nil, nil)
	if err := s.Publish(b.Context(), typical()); err != nil {
		b.Fatal(err)
	}
	shut(b, p)
	r := &mem.Records()[0].Record
	b.Run("event", func(b *testing.B) {
		d := streaming.NewDecoder(0)
		defer d.Close()
		var e streaming.Event
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Decode(r, &e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		c := eventpb.NewCodec(nil)
		defer c.Close()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Payload(nil, r.Value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("yardstick=generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := proto.Unmarshal(r.Value[1:], &eventpb.DashStreamMessage{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
