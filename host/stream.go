package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/engine"
	"github.com/dashhost/dashhost/streaming"
)

// Names of the streams of a sink.
const (
	streamLifecycle = "lifecycle" // what the log tells, once it is durable
	streamLive      = "live"      // what nodes tell while they run
)

// outlet is where a graph's events go.
type outlet struct {
	publisher *streaming.Publisher
	lifecycle *streaming.Stream
	live      *streaming.Stream
}

// outlet opens the sink of a graph, once per URL and settings; nil if neither
// options nor manifest name one.
func (h *Host) outlet(ctx context.Context, g *workflow.Graph) (*outlet, error) {
	url, err := h.streamURL(g)
	if url == "" || err != nil {
		return nil, err
	}
	o := streaming.StreamOptions{Events: g.Stream.Queue, Overflow: streaming.Overflow(g.Stream.Overflow), BlockFor: g.Stream.BlockFor}
	key := fmt.Sprint(url, " ", o.Events, " ", o.Overflow, " ", o.BlockFor)
	shut := func(out *outlet) error { return closeOutlets(ctx, []*outlet{out}) }
	return openOnce(ctx, h, h.outlets, key, func() (*outlet, error) { return h.openOutlet(ctx, url, &o) }, shut)
}

func (h *Host) openOutlet(ctx context.Context, url string, o *streaming.StreamOptions) (*outlet, error) {
	if h.opts.OpenStream == nil {
		return nil, &SchemeError{URL: url}
	}
	sink, err := h.opts.OpenStream(ctx, url)
	if err != nil {
		return nil, err
	}
	p, err := streaming.New(sink, &streaming.Options{Logger: h.log.Named("stream"), Now: h.opts.Clock.Now})
	if err != nil {
		return nil, errors.Join(err, sink.Close())
	}
	out := &outlet{publisher: p}
	if out.lifecycle, err = p.Stream(streamLifecycle, o); err == nil {
		out.live, err = p.Stream(streamLive, o)
	}
	if err != nil {
		_, closeErr := p.Close(ctx)
		return nil, errors.Join(err, closeErr)
	}
	return out, nil
}

// streamURL is where events of a graph go: the options', else the manifest's,
// whose relative folders are relative to it.
func (h *Host) streamURL(g *workflow.Graph) (string, error) {
	if h.opts.Stream != "" || g.Stream.URL == "" {
		return h.opts.Stream, nil
	}
	url, err := workflow.ExpandEnv(g.Stream.URL, os.LookupEnv)
	if err != nil {
		return "", fmt.Errorf("%s: stream: %w", g.Stream.Pos, err)
	}
	return beside(g, url), nil
}

// beside makes the folder of a file URL relative to the manifest.
func beside(g *workflow.Graph, url string) string {
	if dir, ok := strings.CutPrefix(url, "file:"); ok && !filepath.IsAbs(dir) {
		return "file:" + filepath.Join(g.Dir, filepath.FromSlash(dir))
	}
	return url
}

// StreamReport says what became of the events of all streams so far: produced =
// delivered + spooled + dropped + waiting, for each. After Close it is final.
func (h *Host) StreamReport() streaming.Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	var sum streaming.Report
	for _, out := range all(h.outlets) {
		sum.Streams = append(sum.Streams, out.publisher.Report().Streams...)
	}
	return sum
}

// lifecycle sends a run's lifecycle events.
type lifecycle struct {
	out         *outlet
	store       string
	incarnation uint64
}

func newLifecycle(out *outlet, s *checkpoint.Store) *lifecycle {
	id, incarnation := s.ID()
	return &lifecycle{out: out, store: id, incarnation: incarnation}
}

// publish hands an event to the stream; the end of ctx ends a wait for room. What the stream's policy drops it
// counts; the log keeps the event in any case.
func (l *lifecycle) publish(ctx context.Context, e engine.Event) {
	ev := streaming.Event{
		Type: streaming.Type(e.Type), Thread: e.Thread, Run: e.Run, Node: e.Node, Path: e.Path, Step: e.Step, Attempt: e.Attempt,
		Seq: e.Seq, ID: streaming.LifecycleID(l.store, l.incarnation, e.Thread, e.Seq), Time: e.Time,
		Duration: e.Duration, Status: e.Status, Checkpoint: e.Checkpoint,
	}
	if e.Err != nil {
		ev.Error = streaming.Error{Code: e.Err.Code, Message: e.Err.Message, Retryable: e.Err.Retryable, Cause: e.Err.Cause}
	}
	if e.Question != "" {
		ev.Attrs = append(ev.Attrs, streaming.String("question", e.Question))
	}
	if e.Live > 0 {
		ev.Attrs = append(ev.Attrs, streaming.Int("live_events", int64(e.Live)))
	}
	_ = l.out.lifecycle.Publish(ctx, &ev) // counted by reason in the report
}

// liveFeed is capability.Live for one attempt.
type liveFeed struct {
	ctx  context.Context //nolint:containedctx // of the attempt, whose handle this is
	out  *outlet
	task *engine.Task
}

func (f *liveFeed) event(t streaming.Type, n uint32) streaming.Event {
	return streaming.Event{
		Type: t, Thread: f.task.Thread, Run: f.task.Branch, Node: f.task.Node.Name, Path: f.task.Path, Step: f.task.Step,
		Task: f.task.ID, Attempt: f.task.Attempt, N: n,
	}
}

// Event sends an event of the node's own.
func (f *liveFeed) Event(name string, payload []byte, n uint32) error {
	e := f.event(streaming.TypeGuest, n)
	e.Name, e.Payload = name, payload
	return f.send(&e)
}

// Text sends a piece of text.
func (f *liveFeed) Text(label string, text []byte, n uint32) error {
	e := f.event(streaming.TypeToken, n)
	e.Label, e.Text = label, string(text)
	return f.send(&e)
}

func (f *liveFeed) send(e *streaming.Event) error {
	err := f.out.live.Publish(f.ctx, e)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, streaming.ErrFull):
		return abi.Errorf(abi.Full, "%v", err)
	case errors.Is(err, streaming.ErrTooLarge):
		return abi.Errorf(abi.TooLarge, "%v", err)
	case errors.Is(err, streaming.ErrEvent):
		return abi.Errorf(abi.Invalid, "%v", err)
	}
	return abi.Errorf(abi.Unavailable, "%v", err)
}

// drainTime is how long Close waits for streams when its context has no end.
const drainTime = 10 * time.Second

// closeOutlets delivers what waits and closes the sinks.
func closeOutlets(ctx context.Context, outs []*outlet) error {
	if _, ends := ctx.Deadline(); !ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, drainTime)
		defer cancel()
	}
	var errs []error
	for _, out := range outs {
		_, err := out.publisher.Close(ctx)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
