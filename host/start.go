package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/engine"
)

// MaxInput is how many bytes the input of a run may have.
const MaxInput = 1 << 30

// RunOptions of Start. Nil is fine.
type RunOptions struct {
	// Thread names what the run belongs to: 1 to 200 bytes of UTF-8. "" = a new
	// ULID. On a thread that is done the run is a new turn on its state.
	Thread string
	// IfExists says what to do when the thread exists. "" = a new turn if it is
	// finished, else an *ExistsError; "fail" = an *ExistsError; "resume" = go on
	// with it, and do nothing if it is finished; "skip" = do nothing.
	IfExists string
	// Ephemeral keeps nothing of the run: no store is opened, the run cannot be resumed and leaves no history. Events come as
	// always; Thread is only their name, IfExists has no meaning, and a graph with a stream is refused. It is for work that is
	// repeated when it fails, and costs a fraction of what a step costs that is written down.
	Ephemeral bool
	// InputJSON says that the input is JSON although the manifest binds text.
	InputJSON bool
}

// The values of RunOptions.IfExists.
const (
	IfExistsFail   = "fail"
	IfExistsResume = "resume"
	IfExistsSkip   = "skip"
)

// Start begins a run: when it returns, the input is durable and the first step
// is on its way. input is what the manifest's binding says, text or JSON; nil
// takes the binding's default file. The run goes on until it ends by itself,
// ctx ends, or it is drained or cancelled.
//
// Errors: *ExistsError, *Error with code input, output, schema, reduce or
// condition for an input that does not fit, *InputTooLargeError,
// *checkpoint.BusyError, *checkpoint.DamageError, and others of the store.
func (h *Host) Start(ctx context.Context, g *Graph, input []byte, o *RunOptions) (*Run, error) {
	if o == nil {
		o = &RunOptions{}
	}
	if err := h.usable(g); err != nil {
		return nil, err
	}
	switch o.IfExists {
	case "", IfExistsFail, IfExistsResume, IfExistsSkip:
	default:
		return nil, fmt.Errorf("if exists %q: expected fail, resume or skip", o.IfExists)
	}
	thread := o.Thread
	if thread == "" {
		thread = checkpoint.NewID(h.opts.Clock.Now(), "")
	}
	if o.Ephemeral {
		return h.startEphemeral(ctx, g, thread, input, o)
	}
	s, err := h.storeOf(ctx, g.graph)
	if err != nil {
		return nil, err
	}
	if r, err := h.existing(ctx, s, g, thread, o.IfExists); r != nil || err != nil {
		return r, err
	}
	in, replaced, err := h.input(g.graph, input, o.InputJSON)
	if err != nil {
		return nil, err
	}
	if bad := engine.CheckInput(g.graph, in); bad != nil {
		return nil, bad
	}
	if err := g.keep(ctx, s); err != nil {
		return nil, err
	}
	claim, err := s.Claim(ctx, thread, nil)
	if err != nil {
		return nil, err
	}
	r := h.newRun(g, s, claim, thread, time.Time{}, false)
	r.replaced = replaced
	if err := r.engine.Begin(ctx, in); err != nil {
		var unfinished *engine.UnfinishedError
		if errors.As(err, &unfinished) {
			err = &ExistsError{Thread: thread, Status: unfinished.Status}
		}
		return nil, errors.Join(err, giveBack(ctx, claim))
	}
	return r.started(ctx)
}

// startEphemeral begins a run of which nothing is kept.
func (h *Host) startEphemeral(ctx context.Context, g *Graph, thread string, input []byte, o *RunOptions) (*Run, error) {
	if g.out != nil {
		return nil, errors.New("an ephemeral run has no log that could number its events: run it without a stream")
	}
	in, replaced, err := h.input(g.graph, input, o.InputJSON)
	if err != nil {
		return nil, err
	}
	r := h.newRun(g, nil, nil, thread, time.Time{}, false)
	r.replaced = replaced
	if err := r.engine.Begin(ctx, in); err != nil {
		return nil, err
	}
	return r.started(ctx)
}

// existing applies IfExists. A Run is one that stands in for a new one.
func (h *Host) existing(ctx context.Context, s *checkpoint.Store, g *Graph, thread, ifExists string) (*Run, error) {
	info, err := s.Thread(ctx, thread)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, begun := info.Attrs[engine.AttrNext]
	switch {
	case !begun:
		return nil, nil // its first input never became durable: there is nothing that a new one could disturb
	case ifExists == IfExistsSkip, ifExists == IfExistsResume && ThreadFinished(info):
		return h.skipped(ctx, s, g, info)
	case ifExists == IfExistsResume:
		return h.Resume(ctx, thread, &ResumeOptions{Graph: g})
	case ifExists == IfExistsFail, !ThreadFinished(info):
		return nil, &ExistsError{Thread: thread, Status: ThreadStatus(info)}
	}
	return nil, nil
}

// skipped is a run that did nothing: the thread is as it was.
func (h *Host) skipped(ctx context.Context, s *checkpoint.Store, g *Graph, info *checkpoint.ThreadInfo) (*Run, error) {
	rec, state, err := s.State(ctx, info.Thread, "", "")
	if err != nil {
		return nil, err
	}
	m, err := engine.DecodeStep(rec)
	if err != nil {
		return nil, err
	}
	_, cancel := context.WithCancel(ctx)
	r := &Run{host: h, graph: g.graph, thread: info.Thread, events: newFeed(time.Time{}), cancel: cancel, done: make(chan struct{})}
	r.res = &Result{Thread: info.Thread, Run: m.Branch, Status: ThreadStatus(info), Checkpoint: rec.ID, Skipped: true}
	get := func(name string) []byte { v, _ := state.Get(name); return v }
	r.res.Output, r.res.OutputText = bindOutput(g.graph, get, Channels(state))
	r.events.close()
	r.finish()
	return r, nil
}

// ResumeOptions of Resume. Nil is fine.
type ResumeOptions struct {
	// Graph to go on with. Nil = the one that the store keeps. One that differs
	// from it is a *GraphChangedError, unless Pinned says to go on with the
	// recorded one or Upgrade with this one.
	Graph           *Graph
	Pinned, Upgrade bool
	Nodes           Nodes                          // for native nodes of a graph from the store
	Progress        func(module string, done bool) // as in LoadOptions
	AcceptLoss      bool                           // go on from the newest complete step of a damaged thread; Result.Loss says without what
	// Answers to open questions, recorded before the run goes on. If one does not
	// fit, none after it is recorded and the run does not go on.
	Answers   []Answer
	TakeOver  bool // go on although a live process holds the thread
	Automatic bool // nobody asked: tasks whose attempts are used up get no new ones
}

// Resume goes on with a thread from its newest checkpoint: tasks that were
// acknowledged do not run again. The store is that of Options.Store, or of
// ResumeOptions.Graph.
//
// Errors: ErrNotFound, *FinishedError, *GraphChangedError, *UpgradeError,
// *checkpoint.BusyError, *checkpoint.DamageError, and others of the store.
func (h *Host) Resume(ctx context.Context, thread string, o *ResumeOptions) (*Run, error) {
	if o == nil {
		o = &ResumeOptions{}
	}
	if err := h.usable(o.Graph); err != nil {
		return nil, err
	}
	wg := &workflow.Graph{}
	if o.Graph != nil {
		wg = o.Graph.graph
	}
	s, err := h.storeOf(ctx, wg)
	if err != nil {
		return nil, err
	}
	info, err := s.Thread(ctx, thread)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	loss := ""
	switch {
	case o.AcceptLoss:
		if info, loss, err = acceptLoss(ctx, s, thread, o.TakeOver); err != nil {
			return nil, err
		}
	case info.Damage != nil:
		return nil, info.Damage
	}
	if ThreadFinished(info) && loss != "" {
		return h.repaired(ctx, s, info, loss, o)
	}
	if ThreadFinished(info) {
		if _, _, err := s.State(ctx, thread, "", ""); errors.Is(err, checkpoint.ErrDamaged) {
			return nil, err
		}
		return nil, &FinishedError{Thread: thread, Status: ThreadStatus(info)}
	}
	g, upgrade, err := h.resumeGraph(ctx, s, info, o)
	if ended := (*FinishedError)(nil); errors.As(err, &ended) {
		ended.Loss = loss
	}
	if err != nil {
		return nil, err
	}
	var own *Graph // nobody else knows it, so it ends with the run
	if g != o.Graph {
		own = g
	}
	r, err := h.resume(ctx, s, g, thread, upgrade, o)
	if err != nil {
		if own != nil {
			err = errors.Join(err, own.Close(context.WithoutCancel(ctx)))
		}
		return nil, err
	}
	r.own, r.loss = own, loss
	return r.started(ctx)
}

// acceptLoss writes down what a thread has lost, if anything: from then on it is
// sound, whatever becomes of the resume.
func acceptLoss(ctx context.Context, s *checkpoint.Store, thread string, takeOver bool) (info *checkpoint.ThreadInfo, loss string, err error) {
	c, err := s.Claim(ctx, thread, &checkpoint.ClaimOptions{TakeOver: takeOver, AcceptLoss: true})
	if err != nil {
		return nil, "", err
	}
	if l := c.Loss(); l != nil {
		loss = l.String()
	}
	if err := giveBack(ctx, c); err != nil {
		return nil, "", err
	}
	info, err = s.Thread(ctx, thread)
	return info, loss, err
}

// repaired is a run that did nothing but accept the loss of a thread that has
// nothing left to do.
func (h *Host) repaired(ctx context.Context, s *checkpoint.Store, info *checkpoint.ThreadInfo, loss string, o *ResumeOptions) (*Run, error) {
	recorded := *o
	recorded.Pinned, recorded.Upgrade = true, false
	g, _, err := h.resumeGraph(ctx, s, info, &recorded)
	if err != nil {
		return nil, err
	}
	r, err := h.skipped(ctx, s, g, info)
	if g != o.Graph {
		err = errors.Join(err, g.Close(ctx))
	}
	if err != nil {
		return nil, err
	}
	r.res.Loss = loss
	return r, nil
}

// resume claims a thread and takes it up.
func (h *Host) resume(ctx context.Context, s *checkpoint.Store, g *Graph, thread string, upgrade bool, o *ResumeOptions) (*Run, error) {
	claim, err := s.Claim(ctx, thread, &checkpoint.ClaimOptions{TakeOver: o.TakeOver})
	if err != nil {
		return nil, err
	}
	r := h.newRun(g, s, claim, thread, h.opts.Clock.Now(), !o.Automatic)
	if err := r.takeUp(ctx, upgrade, o.Answers); err != nil {
		return nil, errors.Join(err, giveBack(ctx, claim))
	}
	return r, nil
}

func (r *Run) takeUp(ctx context.Context, upgrade bool, answers []Answer) error {
	if err := r.engine.Resume(ctx); err != nil {
		if errors.Is(err, engine.ErrNothing) {
			return &FinishedError{Thread: r.thread, Status: "without a checkpoint"}
		}
		return err
	}
	if !r.engine.Due() { // it ended between our look at it and the claim
		return &FinishedError{Thread: r.thread, Status: engine.StatusDone}
	}
	if upgrade {
		if err := r.engine.Upgrade(ctx); err != nil {
			return err
		}
	}
	for _, a := range answers {
		if err := r.engine.Answer(ctx, a.ID, a.Value); err != nil {
			return err
		}
	}
	return nil
}

// resumeGraph picks the graph to go on with, and says whether it is a new one.
func (h *Host) resumeGraph(ctx context.Context, s *checkpoint.Store, info *checkpoint.ThreadInfo, o *ResumeOptions) (_ *Graph, upgrade bool, err error) {
	digest := info.Attrs[engine.AttrDigest]
	if digest == "" {
		return nil, false, &FinishedError{Thread: info.Thread, Status: "without a checkpoint"}
	}
	if o.Graph != nil && o.Graph.Digest() == digest {
		return o.Graph, false, o.Graph.keep(ctx, s) // what the store holds of it may be damaged
	}
	if o.Graph != nil && o.Upgrade {
		return o.Graph, true, h.canUpgrade(ctx, s, info.Thread, o.Graph)
	}
	load := &LoadOptions{Nodes: o.Nodes, Progress: o.Progress}
	if o.Graph != nil && load.Nodes == nil {
		load.Nodes = o.Graph.natives
	}
	g, err := h.restore(ctx, s, digest, load)
	if err != nil {
		return nil, false, fmt.Errorf("thread %q: %w", info.Thread, err)
	}
	if o.Graph != nil && !o.Pinned {
		err := &GraphChangedError{Thread: info.Thread, Diff: workflow.Diff(g.graph, o.Graph.graph)}
		return nil, false, errors.Join(err, g.Close(ctx))
	}
	return g, false, nil
}

// canUpgrade checks that a graph has every node that is due.
func (h *Host) canUpgrade(ctx context.Context, s *checkpoint.Store, thread string, g *Graph) error {
	rec, _, err := s.State(ctx, thread, "", "")
	if err != nil {
		return err
	}
	m, err := engine.DecodeStep(rec)
	if err != nil {
		return err
	}
	e := &UpgradeError{Thread: thread}
	for _, p := range m.Next {
		if g.graph.Node(p.Node) == nil {
			e.Nodes = append(e.Nodes, p.Node)
		}
	}
	if len(e.Nodes) > 0 {
		return e
	}
	return g.keep(ctx, s)
}

// newRun makes a run; s and claim are nil for an ephemeral one.
func (h *Host) newRun(g *Graph, s *checkpoint.Store, claim *checkpoint.Claim, thread string, since time.Time, userGrant bool) *Run {
	r := &Run{
		host: h, uses: g, graph: g.graph, thread: thread, claim: claim, ctx: context.Background(), events: newFeed(since), began: h.opts.Clock.Now(), done: make(chan struct{}),
	}
	r.engine = engine.New(engine.Config{
		Graph: g.graph, Nodes: g.nodes, Claim: claim, Thread: thread, Clock: h.opts.Clock, Emit: r.emit(g, s), UserGrant: userGrant,
	})
	return r
}

// emit is where the engine's events go: to whoever iterates, and to the stream.
func (r *Run) emit(g *Graph, s *checkpoint.Store) func(engine.Event) {
	if g.out == nil {
		return r.events.emit
	}
	l := newLifecycle(g.out, s)
	return func(e engine.Event) {
		l.publish(r.ctx, e)
		r.events.emit(e)
	}
}

// start lets the engine loose. ctx ends the run, not only the start of it.
func (r *Run) start(ctx context.Context) error {
	r.ctx, r.cancel = context.WithCancel(ctx)
	if err := r.host.adopt(r); err != nil {
		r.cancel()
		return errors.Join(err, giveBack(ctx, r.claim))
	}
	r.uses.warm()
	go r.loop(r.ctx)
	return nil
}

// started gives a run that start let loose, or nothing.
func (r *Run) started(ctx context.Context) (*Run, error) {
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// giveBack releases a claim under which nothing was run.
func giveBack(ctx context.Context, c *checkpoint.Claim) error {
	if c == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if err := c.Release(ctx, nil); err != nil {
		return errors.Join(err, c.Close())
	}
	return nil
}

// storeOf opens the store that runs of a graph are kept in: that of the
// options, else the manifest's.
func (h *Host) storeOf(ctx context.Context, g *workflow.Graph) (*checkpoint.Store, error) {
	if h.opts.Store != "" || g.Store.URL == "" {
		return h.store(ctx, h.opts.Store)
	}
	url, err := workflow.ExpandEnv(g.Store.URL, os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("%s: store: %w", g.Store.Pos, err)
	}
	return h.store(ctx, beside(g, url))
}

// input reads and binds the input of a run.
func (h *Host) input(g *workflow.Graph, input []byte, isJSON bool) (engine.Input, int, error) {
	if input == nil {
		if g.Input.Default == "" {
			return engine.Input{}, 0, &Error{Code: codeInput, Message: "no input was given and the manifest names no default", Hint: inputHint(g.Input)}
		}
		var err error
		if input, err = readInput(filepath.Join(g.Dir, filepath.FromSlash(g.Input.Default))); err != nil {
			return engine.Input{}, 0, err
		}
	}
	if len(input) > MaxInput {
		return engine.Input{}, 0, &InputTooLargeError{Max: MaxInput, Got: int64(len(input))}
	}
	return bindInput(g, input, isJSON)
}

func readInput(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("default input: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, MaxInput+1))
	if err != nil {
		return nil, fmt.Errorf("default input: %w", err)
	}
	return b, nil
}

// unsafeString views b as a string without copying what may be a large input.
// Nobody changes b while the string is in use.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
