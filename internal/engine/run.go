package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
)

// Config is what a Run needs. Graph, Nodes and Claim or Thread are required.
type Config struct {
	Graph *workflow.Graph
	Nodes map[string]Node   // by name of the node; one for each node of Graph
	Claim *checkpoint.Claim // nil: nothing is kept, so that the run cannot be taken up again

	Thread    string // its name, without a Claim
	Namespace string
	Clock     Clock       // default SystemClock
	Emit      func(Event) // called with each event after its record is durable, in order, by one goroutine at a time; default none
	UserGrant bool        // a person asked for this resume: unfinished tasks get new attempts
}

// Run drives one thread from its newest checkpoint to the end of its graph, or
// until something stops it. Its methods may be called from several goroutines,
// Begin and Resume only once.
type Run struct {
	cfg    Config
	log    *journal
	graph  *workflow.Graph
	digest string

	branch string
	step   int    // of the newest step record
	head   string // id of the newest step record
	at     int64  // microseconds: when it was recorded
	state  *state
	next   []due
	past   map[TaskID]*pastTask // what the log knows of tasks of the step to come

	emptied   []string        // each nodes of this step whose list has become empty
	after     []int           // interrupts of the graph to look at before the next step
	questions []*Question     // of the step to come, in the order of the log; mu guards it while tasks run
	answered  []checkpoint.Op // what answers wrote, for the next step record
	crashes   int             // owners that died during the step to come

	mu       sync.Mutex // guards box, bg and questions; never held during I/O
	box      outbox
	bg       background
	emitting sync.Mutex // held while events leave; taken before mu
	flusher  sync.WaitGroup

	drainOnce sync.Once
	drained   chan struct{} // closed by Drain
	tasks     int           // ended in this run
	steps     int           // taken in this run
	fuel      atomic.Uint64 // used by its attempts
	exhaust   func(error)   // ends the run's context: too much fuel was used
}

// Result is how a run ended.
type Result struct {
	Status     string // StatusDone, StatusFailed, StatusStopped, StatusWaiting
	Checkpoint string // id of the newest step record
	Branch     string
	Step       int         // its number
	Steps      int         // supersteps taken by this run
	Tasks      int         // tasks that this run finished
	Fuel       uint64      // units that its attempts used
	Questions  []*Question // open ones, with StatusWaiting
	Err        *Error
}

// New makes a Run. It reads and writes nothing.
func New(cfg Config) *Run {
	if cfg.Clock == nil {
		cfg.Clock = SystemClock{}
	}
	r := &Run{cfg: cfg, log: newJournal(&cfg), graph: cfg.Graph, digest: cfg.Graph.Digest(), drained: make(chan struct{})}
	r.bg.idle = sync.NewCond(&r.mu)
	return r
}

// Drain makes the run stop: attempts that run are finished and recorded, none
// is started. It may be called at any time and more than once.
func (r *Run) Drain() { r.drainOnce.Do(func() { close(r.drained) }) }

func (r *Run) draining() bool {
	select {
	case <-r.drained:
		return true
	default:
		return false
	}
}

// UnfinishedError is a new turn on a thread whose last one has not ended.
type UnfinishedError struct{ Thread, Status string }

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("thread %s: its last run is not finished (%s): resume it first", e.Thread, e.Status)
}

// ErrNothing is returned by Resume for a thread that has no checkpoint.
var ErrNothing = errors.New("the thread has no checkpoint to resume from")

// Input is what a new turn writes to the channels: a JSON object of channels,
// or the value of one channel.
type Input struct {
	Channel string // "" = Value is an object of channels
	Value   []byte // JSON
}

// Begin starts a new turn: it records the input and returns when that is
// durable. The error is an *Error for bad input, *UnfinishedError, or one of
// the store. After an error nothing was recorded.
func (r *Run) Begin(ctx context.Context, in Input) error {
	snap, err := r.log.load(ctx, r.cfg.Namespace)
	if err != nil {
		return err
	}
	var parent string
	step := 0
	r.state = newState(nil)
	if snap.Head != nil {
		m, err := DecodeStep(snap.Head)
		if err != nil {
			return err
		}
		if len(m.Next) > 0 {
			return &UnfinishedError{Thread: r.log.thread, Status: m.Status}
		}
		step, parent = m.Step+1, snap.Head.ID
		r.state = newState(snap.State.All())
	}
	writes, bad := inputWrites(r.graph, in)
	if bad != nil {
		return bad
	}
	r.branch = checkpoint.NewID(r.cfg.Clock.Now(), parent)
	r.box.sent = eventsSoFar(snap)
	r.head = parent
	meta := &StepMeta{Branch: r.branch, Step: step, Source: SourceInput, Graph: r.digest}
	if bad, err := r.commitStep(ctx, meta, inputPlan(writes), nil); bad != nil || err != nil {
		return orError(bad, err)
	}
	return nil
}

// eventsSoFar is the number of the last event that the log holds.
func eventsSoFar(snap *checkpoint.Snapshot) uint64 {
	var last uint64
	if snap.Head != nil {
		last = lastEvent(snap.Head)
	}
	for _, rec := range snap.Tail {
		last = max(last, lastEvent(rec))
	}
	return last
}

// orError picks the one that is not nil.
func orError(bad *Error, err error) error {
	if bad != nil {
		return bad
	}
	return err
}

func inputWrites(g *workflow.Graph, in Input) ([]Write, *Error) {
	if in.Channel == "" {
		return takeObject(g, in.Value, func(string) bool { return true }, "the input")
	}
	ch := g.Channel(in.Channel)
	if ch == nil {
		return nil, fail(CodeOutput, "the graph has no channel %q for its input", in.Channel)
	}
	w := Write{Channel: ch, Value: in.Value}
	return []Write{w}, checkWrite(w, "the input")
}

// CheckInput says what Begin would find wrong with an input for g.
func CheckInput(g *workflow.Graph, in Input) *Error {
	_, bad := inputWrites(g, in)
	return bad
}

// Resume takes up the thread's newest checkpoint. It writes nothing.
func (r *Run) Resume(ctx context.Context) error {
	snap, err := r.log.load(ctx, r.cfg.Namespace)
	if err != nil {
		return err
	}
	if snap.Head == nil {
		return ErrNothing
	}
	m, err := DecodeStep(snap.Head)
	if err != nil {
		return err
	}
	r.box.sent = eventsSoFar(snap)
	r.branch, r.step, r.head, r.at = m.Branch, m.Step, snap.Head.ID, snap.Head.Time
	r.after = m.After
	r.state = newState(snap.State.All())
	for _, p := range m.Next {
		n := r.graph.Node(p.Node)
		if n == nil {
			return fmt.Errorf("thread %s: node %s is due, but the graph does not have it", r.log.thread, p.Node)
		}
		d := due{Pending: p, node: n}
		if p.Part > 0 {
			if d.input, err = part(snap.Head, p.Part); err != nil {
				return err
			}
		}
		r.next = append(r.next, d)
	}
	return r.readTail(snap.Tail)
}

// Loop runs supersteps until the graph ends, a task fails for good, a budget
// is used up, ctx ends or Drain was called. Then the claim is released. The
// error is one of the store, and then the claim was not released: nothing is
// known to be wrong with the run itself.
func (r *Run) Loop(ctx context.Context) (*Result, error) {
	defer r.flusher.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.exhaust = cancel
	watched := ctx // ctx is set again below
	if r.log.kept() {
		r.flusher.Go(func() { r.watch(watched, cancel) })
	}
	if w := r.graph.Run.WallTime; w > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, w, r.wallTime(w))
		defer done()
	}
	for len(r.next) > 0 {
		if r.draining() || ctx.Err() != nil || r.log.cancelled() {
			return r.stopped(ctx)
		}
		if most := r.graph.Run.MaxSteps; most > 0 && r.steps >= most {
			e := fail(CodeMaxSteps, "%d supersteps taken", r.steps)
			e.Hint = r.raise("max_steps", "run.max_steps", strconv.Itoa(most)) + "; the run can be resumed"
			return r.failed(ctx, e)
		}
		res, err := r.superstep(ctx)
		if res != nil || err != nil {
			return res, err
		}
	}
	// The last step record said so; its append released the claim.
	return r.result(StatusDone, nil), nil
}

func (r *Run) wallTime(w time.Duration) *Error {
	e := fail(CodeWallTime, "the run took longer than %v", w)
	e.Hint = r.raise("wall_time", "run.wall_time", w.String())
	return e
}

// burn counts the fuel of an attempt. Over the budget of the run, all attempts are cut off, as by the run's wall time.
func (r *Run) burn(units uint64) {
	most := r.graph.Run.Fuel
	if used := r.fuel.Add(units); most > 0 && used > most {
		e := fail(CodeRunFuel, "the run used %d units of fuel", used)
		e.Hint = r.raise("fuel", "run.fuel", strconv.FormatUint(most, 10)) + "; the run can be resumed"
		r.exhaust(e)
	}
}

// raise says which line of the manifest sets a limit.
func (r *Run) raise(field, path, now string) string {
	if p, ok := r.graph.Run.Places[field]; ok && p.Line > 0 {
		return fmt.Sprintf("%s is %s: raise it at %s:%d", path, now, p.File, p.Line)
	}
	return fmt.Sprintf("%s is %s: raise it in %s", path, now, r.graph.File)
}

func (r *Run) result(status string, e *Error) *Result {
	res := &Result{Status: status, Checkpoint: r.head, Branch: r.branch, Step: r.step, Steps: r.steps, Tasks: r.tasks, Fuel: r.fuel.Load(), Err: e}
	if status == StatusWaiting {
		res.Questions = r.Questions()
	}
	return res
}

// stopped releases the claim of a run that can be resumed.
func (r *Run) stopped(ctx context.Context) (*Result, error) {
	if r.log.cancelled() {
		return r.cancelled(ctx)
	}
	var e *Error
	if errors.As(context.Cause(ctx), &e) { // a budget of the run, not the caller
		return r.failed(ctx, e)
	}
	return r.release(ctx, StatusStopped, nil)
}

// cancelled ends a run that somebody asked to end: nothing is due any more.
func (r *Run) cancelled(ctx context.Context) (*Result, error) {
	e := &Edit{Claim: r.cfg.Claim, Namespace: r.cfg.Namespace, Clock: r.cfg.Clock, note: r.note}
	id, err := e.Cancel(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	r.head = id
	r.flush()
	return r.result(StatusCancelled, nil), nil
}

// watchEvery is how often a run that appends nothing looks whether somebody has
// asked it to end, or taken the thread over.
const watchEvery = time.Second

// watch ends ctx when another process cancels the run or takes the thread.
func (r *Run) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := r.log.refresh(ctx)
		switch {
		case errors.Is(err, checkpoint.ErrFenced):
			cancel(err)
		case err == nil && r.log.cancelled():
			cancel(errCancelled)
		}
	}
}

var errCancelled = errors.New("somebody asked for the run to end")

func (r *Run) failed(ctx context.Context, e *Error) (*Result, error) {
	return r.release(ctx, StatusFailed, e)
}

func (r *Run) release(ctx context.Context, status string, e *Error) (*Result, error) {
	rec, evs := r.releaseRecord(status, e)
	// The run's own context may be what ended; writing down how it ended is
	// bounded by the store's own deadlines.
	if err := r.log.release(context.WithoutCancel(ctx), rec); err != nil {
		return nil, err
	}
	r.note(rec, evs)
	r.flush()
	return r.result(status, e), nil
}

func (r *Run) releaseRecord(status string, e *Error) (*checkpoint.Record, []Event) {
	m := &ReleaseMeta{Branch: r.branch, Step: r.step + 1, Status: status, Error: e}
	evs := m.events()
	return &checkpoint.Record{
		Kind: checkpoint.KindRelease, Namespace: r.cfg.Namespace,
		Attrs: []checkpoint.Attr{{Name: AttrStatus, Value: status}},
		Meta:  mustJSON(m), Events: uint32(len(evs)),
	}, evs
}

// Due reports whether a run has anything to do, after Begin or Resume.
func (r *Run) Due() bool { return len(r.next) > 0 }

// State returns the value of a channel as the run last left it, nil if it was
// never written. Call it only when Loop is not running.
func (r *Run) State(channel string) []byte { return r.state.get(channel) }

// Channels yields the channels that were written, with their values, under the
// same rule as State.
func (r *Run) Channels() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, ch := range r.graph.Channels {
			if v := r.state.get(ch.Name); v != nil && !yield(ch.Name, v) {
				return
			}
		}
	}
}

// parallel is how many tasks run at once.
func (r *Run) parallel() int {
	if n := r.graph.Run.Parallel; n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}
