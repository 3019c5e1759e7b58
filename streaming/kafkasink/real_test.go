//go:build unix

package kafkasink

import (
	"context"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/dashhost/dashhost/streaming"
)

// open makes a publisher with a stream over a sink.
func publisher(t testing.TB, s *Sink, o *streaming.StreamOptions) (*streaming.Publisher, *streaming.Stream) {
	t.Helper()
	p, err := streaming.New(s, &streaming.Options{Retry: streaming.Retry{Attempts: 1000, Max: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := p.Stream("events", o)
	if err != nil {
		t.Fatal(err)
	}
	return p, stream
}

// finish closes a publisher that must deliver what waits.
func finish(t testing.TB, p *streaming.Publisher) streaming.Counts {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r, err := p.Close(ctx)
	if err != nil {
		t.Errorf("close: %v", err)
	}
	return r.Total()
}

// patient blocks as long as it takes, so that nothing is dropped.
func patient() *streaming.StreamOptions {
	return &streaming.StreamOptions{Events: 16384, Bytes: 64 << 20, BlockFor: time.Hour, BatchEvents: 2048, BatchBytes: 1 << 20}
}

func TestRealConformance(t *testing.T) {
	b := startBroker(t)
	suiteOn(t, &Target{Brokers: []string{b.at["PLAIN"]}})
}

// A million events flow while the broker is killed and started again: none is lost, each thread keeps its order, and what is there
// twice has the same id.
func TestRealBrokerIsKilled(t *testing.T) {
	b := startBroker(t)
	const events = 1_000_000
	target := b.topic(t, "killed", 6, 1<<20)
	p, s := publisher(t, openSink(t, target, nil), patient())
	began := time.Now()
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		for p.Report().Total().Delivered < events/4 {
			time.Sleep(5 * time.Millisecond)
		}
		b.stop(t, "-9")
		b.start(t)
	}()
	g := newNumbered(200)
	for n := range events {
		if err := s.Publish(t.Context(), g.event(n)); err != nil {
			t.Fatal(err)
		}
	}
	<-killed
	c := finish(t, p)
	took := time.Since(began)
	f := look(t, target)
	account(t, "killed and started again", c, f, took)
	if c.Delivered != events || f.distinct() != events {
		t.Errorf("%d events of %d are in the topic: %s", f.distinct(), events, c)
	}
}

// The broker is away for a while (DASHHOST_KAFKA_DOWN, 15 s by default) and events go on: what does not fit is rejected, memory
// stays as it is, and what was accepted arrives, in order.
func TestRealBrokerIsDown(t *testing.T) {
	b := startBroker(t)
	down := 15 * time.Second
	if d := os.Getenv("DASHHOST_KAFKA_DOWN"); d != "" {
		var err error
		if down, err = time.ParseDuration(d); err != nil {
			t.Fatal(err)
		}
	}
	target := b.topic(t, "down", 6, 1<<20)
	o := patient()
	o.Overflow = streaming.Reject
	p, s := publisher(t, openSink(t, target, &Options{Timeout: 5 * time.Second}), o)
	began := time.Now()
	g := newNumbered(200)
	n := 0
	send := func(d time.Duration) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
			for range 5 {
				_ = s.Publish(t.Context(), g.event(n)) // a rejected one is counted
				n++
			}
		}
	}
	send(time.Second)
	debug.FreeOSMemory() // what other tests have left
	b.stop(t, "-9")
	send(min(3*time.Second, down))
	full := resident(t) // the queue is
	most := full
	for at := time.Now(); time.Since(at) < down-3*time.Second; {
		send(time.Second)
		most = max(most, resident(t))
	}
	t.Logf("down for %v: %d MiB resident when the queue was full, %d MiB at most after", down, full, most)
	if most > full+64 {
		t.Errorf("memory grew from %d to %d MiB", full, most)
	}
	b.start(t)
	send(time.Second)
	c := finish(t, p)
	took := time.Since(began)
	account(t, "down for "+down.String(), c, look(t, target), took)
	if c.Dropped == 0 || c.Reasons[streaming.Rejected] != c.Dropped {
		t.Errorf("expected rejected events only: %s", c)
	}
}

// A broker that hangs answers nothing and closes nothing.
func TestRealBrokerHangs(t *testing.T) {
	b := startBroker(t)
	target := b.topic(t, "hangs", 6, 1<<20)
	const events = 200_000
	p, s := publisher(t, openSink(t, target, &Options{Timeout: 2 * time.Second}), patient())
	began := time.Now()
	hung := make(chan struct{})
	go func() {
		defer close(hung)
		for p.Report().Total().Delivered < events/4 {
			time.Sleep(5 * time.Millisecond)
		}
		b.signal(t, stopSignal)
		time.Sleep(12 * time.Second)
		b.signal(t, contSignal)
	}()
	g := newNumbered(200)
	for n := range events {
		if err := s.Publish(t.Context(), g.event(n)); err != nil {
			t.Fatal(err)
		}
	}
	<-hung
	c := finish(t, p)
	took := time.Since(began)
	f := look(t, target)
	account(t, "hangs for 12 s", c, f, took)
	if c.Delivered != events || f.distinct() != events {
		t.Errorf("%d events of %d are in the topic: %s", f.distinct(), events, c)
	}
}
