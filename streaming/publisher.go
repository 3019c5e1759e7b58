package streaming

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/eventpb"
)

// Publisher takes events to a sink, over streams. It owns the sink. Its methods may be called by several goroutines.
type Publisher struct {
	sink     driver.Sink
	o        Options
	codec    *eventpb.Codec
	encoders sync.Pool
	ids      ids
	clock    clock

	running sync.WaitGroup // goroutines of streams

	mu      sync.Mutex
	streams map[string]*Stream
	closing bool

	once   sync.Once
	report Report // of Close, with err
	err    error
}

// closeGrace is how long Close waits, after its context ended, for a sink to notice that its own did.
const closeGrace = time.Second

// New returns a publisher over a sink, which it closes in the end. o may be nil. The error is ErrOptions; the sink is then left alone.
func New(sink driver.Sink, o *Options) (*Publisher, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p := &Publisher{sink: sink, o: o.withDefaults(), streams: map[string]*Stream{}}
	p.codec = eventpb.NewCodec(&eventpb.Options{MaxBytes: p.o.MaxBytes})
	p.encoders.New = func() any { return &encoder{} }
	p.ids.start()
	p.clock.now = p.o.Now
	return p, nil
}

// Stream makes a stream. Its name is told to the sink and stands in reports, so streams are few: one for each kind of events, not one
// for each run. o may be nil. Errors are ErrOptions, ErrStreams for a name that is empty or taken or one stream too many, and
// ErrClosed.
func (p *Publisher) Stream(name string, o *StreamOptions) (*Stream, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return nil, fmt.Errorf("stream %s: %w", name, ErrClosed)
	case name == "":
		return nil, fmt.Errorf("%w: the name is empty", ErrStreams)
	case p.streams[name] != nil:
		return nil, fmt.Errorf("%w: %s is there already", ErrStreams, name)
	case len(p.streams) >= p.o.MaxStreams:
		return nil, fmt.Errorf("%w: there are %d already, as many as MaxStreams allows", ErrStreams, len(p.streams))
	}
	s := &Stream{p: p, name: name, o: o.withDefaults(), wake: make(chan struct{}, 1)}
	p.streams[name] = s
	p.running.Add(1)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx)
	return s, nil
}

// keep gives an encoder back, unless one large event made its buffer large.
func (p *Publisher) keep(n *encoder) {
	if len(n.w.b) <= keptBuffer {
		p.encoders.Put(n)
	}
}

const keptBuffer = 64 << 10

// all returns the streams by name.
func (p *Publisher) all() []*Stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*Stream
	for _, s := range p.streams {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Stream) int { return cmp.Compare(a.name, b.name) })
	return all
}

// Report says what became of the events so far.
func (p *Publisher) Report() Report {
	var r Report
	for _, s := range p.all() {
		r.Streams = append(r.Streams, s.report())
	}
	return r
}

// Flush returns when every event that was published before has an outcome and the sink has made safe what it took. The error is that
// of the sink or of ctx.
func (p *Publisher) Flush(ctx context.Context) error {
	for _, s := range p.all() {
		if err := s.settled(ctx); err != nil {
			return fmt.Errorf("stream %s: %w", s.name, err)
		}
	}
	return p.sink.Flush(ctx)
}

// Close accepts nothing more, delivers what waits until ctx ends, closes the sink and says what became of every event. If events
// were lost that way the error is a *LossError; it is the sink's if closing failed. Events that were dropped by the policy of their
// stream are in the report and no error. Close returns about a second after ctx ended at the latest, also when the sink hangs; the
// sink is then closed as soon as it returns. A second Close returns the same.
func (p *Publisher) Close(ctx context.Context) (Report, error) {
	p.once.Do(func() { p.report, p.err = p.close(ctx) })
	return p.report, p.err
}

func (p *Publisher) close(ctx context.Context) (Report, error) {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	streams := p.all()
	for _, s := range streams {
		s.close()
	}
	finished := make(chan struct{})
	go func() {
		p.running.Wait()
		close(finished)
	}()
	var cut error
	select {
	case <-finished:
	case <-ctx.Done():
		cut = ctx.Err()
	}
	for _, s := range streams {
		s.stop()
	}
	if !within(closeGrace, finished) {
		for _, s := range streams {
			s.giveUp()
		}
		cut = errors.Join(cut, errors.New("the sink does not return"))
	}
	err := p.closeSink(ctx, finished)
	r := p.Report()
	if lost := r.Total().Reasons[Closed]; cut != nil && lost > 0 {
		return r, &LossError{Lost: lost, Err: errors.Join(cut, err)}
	}
	return r, err
}

// closeSink closes the sink once nobody delivers, waiting as long as Close may.
func (p *Publisher) closeSink(ctx context.Context, finished <-chan struct{}) error {
	result := make(chan error, 1)
	go func() {
		<-finished
		result <- p.sink.Close()
		p.codec.Close()
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result:
		return err
	case <-time.After(closeGrace):
		return errors.New("the sink does not close")
	}
}

func within(d time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}
