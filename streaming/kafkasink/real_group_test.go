//go:build unix

package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/streaming"
)

// members is what the members of a group have read.
type members struct {
	mu     sync.Mutex
	seen   map[[16]byte]int
	last   map[string]int64 // offset, by member, partition and turn
	errors []string
}

// join reads as a member of group g until ctx ends.
func (m *members) join(ctx context.Context, name string, target *Target) error {
	r, err := NewReader(target, &ReaderOptions{Follow: true, Group: "g"})
	if err != nil {
		return err
	}
	dec := streaming.NewDecoder(0)
	defer dec.Close()
	for entry, err := range r.All(ctx) {
		if err != nil {
			if errors.Is(err, ctx.Err()) {
				return nil
			}
			return err
		}
		var e streaming.Event
		if err := dec.Decode(&entry.Record, &e); err != nil {
			return entry.Fault(err)
		}
		m.note(name, entry, &e)
	}
	return nil
}

func (m *members) note(name string, entry *Entry, e *streaming.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[e.ID]++
	at := fmt.Sprint(name, " partition ", entry.Partition, " turn ", entry.Turn)
	if before, known := m.last[at]; known && entry.Offset <= before {
		m.errors = append(m.errors, fmt.Sprintf("%s: offset %d after %d", at, entry.Offset, before))
	}
	m.last[at] = entry.Offset
}

func (m *members) distinct() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.seen)
}

// Members join and leave while events flow: each event is read by some member, each partition in order, and those that are read twice
// are few: they were not committed yet when their partition went to another.
func TestRealGroupIsRebalanced(t *testing.T) {
	b := startBroker(t)
	const events = 100_000
	target := b.topic(t, "shared", 6, 1<<20)
	p, s := publisher(t, openSink(t, target, nil), patient())
	m := &members{seen: map[[16]byte]int{}, last: map[string]int64{}}
	var group sync.WaitGroup
	leave := map[string]context.CancelFunc{}
	enter := func(name string) {
		ctx, cancel := context.WithCancel(t.Context())
		leave[name] = cancel
		group.Go(func() {
			if err := m.join(ctx, name, target); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	g := newNumbered(100)
	publish := func(from, to int) {
		for n := from; n < to; n++ {
			if err := s.Publish(t.Context(), g.event(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(n int) {
		until(t, fmt.Sprintf("%d events are read", n), func() bool { return m.distinct() >= n })
	}
	began := time.Now()
	enter("a")
	publish(0, events/4)
	read(events / 8)
	enter("b")
	publish(events/4, events/2)
	read(events / 2)
	enter("c")
	leave["a"]()
	publish(events/2, events)
	read(events * 3 / 4)
	leave["b"]()
	c := finish(t, p)
	read(events)
	leave["c"]()
	group.Wait()
	account(t, "three members come and go", c, look(t, target), time.Since(began))
	twice := 0
	for _, n := range m.seen {
		twice += n - 1
	}
	t.Logf("%d events read by three members, %d of them by two", len(m.seen), twice)
	if len(m.errors) > 0 {
		t.Errorf("order: %v", m.errors)
	}
	r, err := NewReader(target, &ReaderOptions{Group: "g"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range list {
		if q.Lag != 0 {
			t.Errorf("partition %d: %d records are not committed", q.Partition, q.Lag)
		}
	}
	for e, err := range r.All(t.Context()) {
		t.Errorf("read again: %v, %v", e, err)
	}
}

// A reader follows through new partitions, and from each place to start.
func TestRealStarts(t *testing.T) {
	b := startBroker(t)
	target := b.topic(t, "starts", 1, 1<<20)
	p, s := publisher(t, openSink(t, target, nil), nil)
	g := newNumbered(1)
	base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for n := range 100 {
		e := g.event(n)
		e.Time = base.Add(time.Duration(n) * time.Second).UnixMicro()
		if err := s.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, p)
	for _, c := range []struct {
		name  string
		start Start
		want  int
	}{
		{"oldest", Start{}, 100}, {"offset", Start{Offset: 70}, 30}, {"offset past the end", Start{Offset: 1000}, 0},
		{"time", Start{Time: base.Add(90 * time.Second)}, 10}, {"between times", Start{Time: base.Add(89500 * time.Millisecond)}, 10},
		{"time before all", Start{Time: base.Add(-time.Hour)}, 100}, {"time after all", Start{Time: base.Add(time.Hour)}, 0}, {"now", Start{End: true}, 0},
	} {
		r, err := NewReader(target, &ReaderOptions{Start: c.start})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e, err := range r.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if want := int64(100 - c.want + n); e.Offset != want {
				t.Errorf("%s: offset %d, want %d", c.name, e.Offset, want)
			}
			n++
		}
		if n != c.want {
			t.Errorf("%s: %d records, want %d", c.name, n, c.want)
		}
	}
	follows(t, b, target)
}

// follows reads what comes, also in partitions that are made meanwhile.
func follows(t *testing.T, b *realBroker, target *Target) {
	t.Helper()
	r, err := NewReader(target, &ReaderOptions{Follow: true, Start: Start{End: true}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := make(chan int32, 1000)
	group := sync.WaitGroup{}
	group.Go(func() {
		for e, err := range r.All(ctx) {
			if err == nil {
				got <- e.Partition
			} else if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
	until(t, "the first event is followed", func() bool {
		s := openSink(t, target, nil)
		p, stream := publisher(t, s, nil)
		if err := stream.Publish(t.Context(), newNumbered(1).event(0)); err != nil {
			t.Fatal(err)
		}
		finish(t, p)
		select {
		case <-got:
			return true
		case <-time.After(500 * time.Millisecond):
			return false
		}
	})
	if _, err := b.admin(t).CreatePartitions(ctx, 3, target.Topic); err != nil {
		t.Fatal(err)
	}
	until(t, "events of a new partition are followed", func() bool {
		p, stream := publisher(t, openSink(t, target, nil), nil)
		g := newNumbered(50)
		for n := range 50 {
			if err := stream.Publish(t.Context(), g.event(n)); err != nil {
				t.Fatal(err)
			}
		}
		finish(t, p)
		for {
			select {
			case n := <-got:
				if n > 0 {
					return true
				}
			case <-time.After(2 * time.Second):
				return false
			}
		}
	})
	cancel()
	for {
		select {
		case <-got:
			continue
		default:
		}
		break
	}
	group.Wait()
}
