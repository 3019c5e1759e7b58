package host

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/engine"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// Run is a run that was started. Its methods are safe for concurrent use.
type Run struct {
	host   *Host
	graph  *workflow.Graph
	thread string
	engine *engine.Run
	claim  *checkpoint.Claim // nil: ephemeral
	events *feed
	ctx    context.Context //nolint:containedctx // of the run, whose handle this is
	cancel context.CancelFunc
	began  time.Time

	done chan struct{} // closed when res and err are set
	res  *Result
	err  error

	loss     string // that was accepted
	uses     *Graph // nil for a run that did nothing
	own      *Graph // loaded for this run only, nil if the caller brought it
	replaced int
	once     sync.Once
}

// Result is how a run ended.
type Result struct {
	Thread     string
	Run        string // ULID
	Status     string // done, failed, stopped, waiting, cancelled; with Skipped that of the thread
	Output     []byte // as the manifest binds it; nil if nothing was written. A failed run may have one
	OutputText bool   // Output is text, else JSON
	Checkpoint string // id of the newest checkpoint
	Steps      int    // supersteps that this run took
	Tasks      int    // tasks that it finished
	Fuel       uint64 // units of work that its wasm nodes were charged, failed attempts too
	Duration   time.Duration
	Replaced   int        // invalid UTF-8 sequences of a text input, replaced by U+FFFD
	Skipped    bool       // the thread existed, nothing was run
	Loss       string     // what a resume with AcceptLoss went on without; "" if there was no damage
	Resumable  bool       // something is left to do
	Questions  []Question // open ones, with status waiting
	Err        *Error     // why it failed
}

// Thread is the thread's name.
func (r *Run) Thread() string { return r.thread }

// Events yields what happens, each event once what it tells is durable. It ends
// with the run. Up to 4096 events wait for the first call; while somebody
// iterates, a slow reader slows the run down, and leaving the loop lets it go
// on without being watched. Only one iteration at a time gets events.
func (r *Run) Events() iter.Seq[Event] { return r.events.all }

// Wait returns when the run has ended. The error is ctx's, or one of the store:
// then there is no Result, and what was acknowledged can be resumed. A run that
// failed or stopped has a Result and no error.
func (r *Run) Wait(ctx context.Context) (*Result, error) {
	select {
	case <-r.done:
		return r.res, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Drain asks the run to stop: attempts that run are finished and recorded, none
// is started. It returns when the run has ended, or with ctx's error.
func (r *Run) Drain(ctx context.Context) error {
	if r.engine != nil {
		r.events.end()
		r.engine.Drain()
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Cancel interrupts the nodes that run. What they did does not count; the run
// stops and can be resumed.
func (r *Run) Cancel() { r.cancel() }

// loop drives the engine to its end.
func (r *Run) loop(ctx context.Context) {
	defer context.AfterFunc(ctx, r.events.end)()
	res, err := r.engine.Loop(ctx)
	r.events.close()
	switch {
	case err != nil && r.claim != nil:
		r.err = errors.Join(err, r.claim.Close())
	case err != nil:
		r.err = err
	default:
		r.res = r.result(res)
		if r.claim != nil {
			r.keep(context.WithoutCancel(ctx))
		}
	}
	r.finish()
}

// keep drops checkpoints that the manifest does not keep. That it could not is no fault of the run: the next one tries again.
func (r *Run) keep(ctx context.Context) {
	rule := checkpoint.KeepRule{Last: r.graph.Store.KeepLast, For: r.graph.Store.KeepFor}
	s, err := r.host.storeOf(ctx, r.graph)
	if err == nil {
		_, err = s.Keep(ctx, r.thread, rule)
	}
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) { // deleted is fine
		r.host.log.Warn("old checkpoints are kept", "thread", r.thread, "error", err)
	}
}

func (r *Run) finish() {
	r.once.Do(func() {
		r.cancel()
		if r.own != nil {
			if err := r.own.Close(context.Background()); err != nil {
				r.host.log.Error("close graph", "graph", r.graph.Name, "error", err)
			}
		}
		r.host.forget(r)
		close(r.done)
	})
}

func (r *Run) result(res *engine.Result) *Result {
	out := &Result{
		Thread: r.thread, Run: res.Branch, Status: res.Status, Checkpoint: res.Checkpoint, Steps: res.Steps, Tasks: res.Tasks, Fuel: res.Fuel,
		Duration: r.host.opts.Clock.Now().Sub(r.began), Replaced: r.replaced, Loss: r.loss, Err: res.Err,
	}
	out.Questions, out.Resumable = questionsOf(res.Questions), r.claim != nil && r.engine.Due() && res.Status != engine.StatusCancelled
	out.Output, out.OutputText = bindOutput(r.graph, r.engine.State, r.engine.Channels())
	return out
}

// bindOutput makes of the channels what the manifest says that comes out.
func bindOutput(g *workflow.Graph, get func(string) []byte, all iter.Seq2[string, []byte]) (out []byte, text bool) {
	b := g.Output
	if b.Channel == "" {
		return object(all), false
	}
	v := get(b.Channel)
	if v == nil || !b.Text {
		return v, false
	}
	if s, err := rawjson.Unquote(v); err == nil {
		return []byte(s), true
	}
	return v, false // not a string: shown as what it is
}

// object glues channels into a JSON object.
func object(all iter.Seq2[string, []byte]) []byte {
	out := []byte{'{'}
	for name, v := range all {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, name), ':')
		out = append(out, v...)
	}
	return append(out, '}')
}

// bindInput makes of what the caller gave what the engine writes to channels.
func bindInput(g *workflow.Graph, in []byte, isJSON bool) (engine.Input, int, error) {
	b := g.Input
	if b.Channel == "" || isJSON || !b.Text {
		if err := rawjson.Valid(in); err != nil {
			return engine.Input{}, 0, &Error{Code: codeInput, Message: "input: " + err.Error(), Hint: inputHint(b)}
		}
		return engine.Input{Channel: b.Channel, Value: bytes.Clone(in)}, 0, nil // the caller may use its buffer again
	}
	replaced := 0
	for rest := in; len(rest) > 0; {
		c, n := utf8.DecodeRune(rest)
		if c == utf8.RuneError && n == 1 {
			replaced++
		}
		rest = rest[n:]
	}
	// AppendString writes U+FFFD for what is not UTF-8.
	value := rawjson.AppendString(make([]byte, 0, len(in)+len(in)/16+2), unsafeString(in))
	return engine.Input{Channel: b.Channel, Value: value}, replaced, nil
}

func inputHint(b workflow.Binding) string {
	if b.Channel == "" {
		return "the input is a JSON object with a member per channel"
	}
	return "the input is the JSON value of channel " + b.Channel
}
