package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// taskRun is a task of the current step and what became of it. One goroutine
// at a time works on it.
type taskRun struct {
	task   Task
	due    *due
	view   *view
	budget int // attempts allowed in all

	held     bool // waits for an answer
	finished bool
	recorded bool // in a record of its own, so not in the step's
	took     time.Duration
	live     uint32
	output   []byte
	writes   []Write
	sends    []Send
	err      *Error // final; nil = done
}

// verdict reports a failure whose writes count.
func (t *taskRun) verdict() bool { return t.err != nil && t.err.KeepOutput }

// runnable reports a task that has to be run in this step.
func (t *taskRun) runnable() bool { return !t.finished && !t.held }

// fatal reports a failure that ends the run.
func (t *taskRun) fatal() bool { return t.err != nil && !t.err.KeepOutput && t.task.Node.OnError == "" }

// view is what the tasks of one node read: members of their input, joined once.
type view struct {
	node   *workflow.Node
	object []byte // {"a":1,"b":2 without the closing brace
	elems  [][]byte
	raw    []byte // of raw input
}

func eachPath(i int) string { return strconv.Itoa(i) }

// expand makes the tasks of the coming step, in task order. Deferred entries
// that are not due yet are left out.
func (r *Run) expand() ([]*taskRun, *Error) {
	count := 0
	r.emptied = nil
	for i := range r.next {
		switch d := &r.next[i]; {
		case d.Defer:
		case d.Each != nil:
			n, bad := eachCount(r.state, d.node) // an answer may have changed the list since it was counted
			if bad != nil {
				return nil, bad
			}
			if d.Each = &n; n == 0 {
				r.emptied = append(r.emptied, d.Node)
			}
			count += n
		default:
			count++
		}
	}
	if most := r.graph.Run.MaxTasks; most > 0 && count > most {
		e := fail(CodeMaxTasks, "the superstep has %d tasks", count)
		e.Hint = r.raise("max_tasks", "run.max_tasks", strconv.Itoa(most))
		return nil, e
	}
	tasks := make([]*taskRun, 0, count)
	var v *view // of the entry before: the frontier is in the order of nodes
	for i := range r.next {
		d := &r.next[i]
		if d.Defer {
			continue
		}
		if v == nil || v.node != d.node {
			var err *Error
			if v, err = r.view(d.node); err != nil {
				return nil, err
			}
		}
		if d.Each == nil {
			tasks = append(tasks, r.newTask(d, v, d.Path))
			continue
		}
		for i := range *d.Each {
			tasks = append(tasks, r.newTask(d, v, eachPath(i)))
		}
	}
	return tasks, nil
}

func (r *Run) newTask(d *due, v *view, path string) *taskRun {
	step := r.step + 1
	t := &taskRun{due: d, view: v, budget: max(d.node.Retry.Attempts, 1), task: Task{
		Thread: r.log.thread, Namespace: r.cfg.Namespace, Branch: r.branch, Step: step,
		Node: d.node, Path: path, Time: r.at,
		ID: newTaskID(r.log.thread, r.cfg.Namespace, r.branch, step, d.Node, path),
	}}
	if p := r.past[t.task.ID]; p != nil {
		p.restore(t)
	}
	return t
}

// view joins what a node reads, once for all its tasks.
func (r *Run) view(n *workflow.Node) (*view, *Error) {
	v := &view{node: n}
	if n.RawIn != "" {
		raw, err := rawBytes(r.state.get(n.RawIn))
		if err != nil {
			e := fail(CodeOutput, "channel %s: %v", n.RawIn, err)
			e.Node = n.Name
			return nil, e
		}
		v.raw = raw
	}
	v.object = append(v.object, '{')
	for _, name := range n.Reads {
		val := r.state.get(name)
		if val == nil {
			continue
		}
		if len(v.object) > 1 {
			v.object = append(v.object, ',')
		}
		v.object = append(rawjson.AppendString(v.object, name), ':')
		v.object = append(v.object, val...)
	}
	if n.Each != nil {
		elems, err := r.state.elements(n.Each.Over)
		if err != nil {
			e := fail(CodeReduce, "each over channel %s: %v", n.Each.Over, err)
			e.Node = n.Name
			return nil, e
		}
		v.elems = elems
	}
	return v, nil
}

// rawBytes is what a raw node gets of a channel: the text of a JSON string,
// else the JSON itself.
func rawBytes(v []byte) ([]byte, error) {
	if !startsWith(v, '"') {
		return v, nil
	}
	s, err := rawjson.Unquote(v)
	return []byte(s), err
}

// input glues the input of a task from bytes that were all checked before.
func (t *taskRun) input() []byte {
	n := t.task.Node
	if n.RawIn != "" {
		return t.view.raw
	}
	var item []byte
	switch {
	case t.due.Each != nil:
		item = t.item()
	case t.due.Path != "":
		item = t.due.input
	}
	in := make([]byte, 0, len(t.view.object)+len(item)+10)
	in = append(in, t.view.object...)
	if item != nil {
		if len(in) > 1 {
			in = append(in, ',')
		}
		in = append(in, `"item":`...)
		in = append(in, item...)
	}
	return append(in, '}')
}

// item is the element, or the batch of elements, of an each task.
func (t *taskRun) item() []byte {
	i, _ := strconv.Atoi(t.task.Path)
	batch := t.task.Node.Each.Batch
	if batch == 0 {
		return t.view.elems[i]
	}
	elems := t.view.elems[i*batch : min((i+1)*batch, len(t.view.elems))]
	size := 2
	for _, e := range elems {
		size += len(e) + 1
	}
	out := append(make([]byte, 0, size), '[')
	for i, e := range elems {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, ']')
}

// execute runs the unfinished tasks of a step. It returns when all have
// finished, or when ctx ended or Drain was called and no attempt runs any more.
func (r *Run) execute(ctx context.Context, tasks []*taskRun) {
	x := &execution{run: r, done: make(chan struct{})}
	for _, t := range tasks {
		if t.runnable() {
			x.left.Add(1)
		}
	}
	n := int(x.left.Load())
	if n == 0 {
		return
	}
	x.queue = make(chan *taskRun, n)
	for _, t := range tasks {
		if t.runnable() {
			x.queue <- t
		}
	}
	for range min(r.parallel(), n) - 1 {
		x.wg.Go(func() { x.work(ctx) })
	}
	x.work(ctx)
	x.wg.Wait()
	r.takeBack()
}

// execution is the running part of a superstep.
type execution struct {
	run   *Run
	queue chan *taskRun // cap: all tasks, so that putting one back never blocks
	left  atomic.Int32  // unfinished tasks
	done  chan struct{} // closed when left reaches 0
	wg    sync.WaitGroup
}

func (x *execution) work(ctx context.Context) {
	for {
		select {
		case <-x.done:
			return
		case <-x.run.drained:
			return
		case <-ctx.Done():
			return
		default:
		}
		select {
		case t := <-x.queue:
			x.attempt(ctx, t)
		case <-x.done:
			return
		case <-x.run.drained:
			return
		case <-ctx.Done():
			return
		}
	}
}

// attempt runs a task once and decides what follows from it.
func (x *execution) attempt(ctx context.Context, t *taskRun) {
	clock := x.run.cfg.Clock
	task := t.task // its own copy: an attempt that was given up may still look at it
	task.Attempt++
	task.Input = t.input()
	began := clock.Now()
	out, err := runNode(ctx, x.run.cfg.Nodes[task.Node.Name], &task)
	took := clock.Now().Sub(began)
	x.run.burn(out.Fuel)
	if err != nil && ctx.Err() != nil {
		return // cut off from outside: this attempt does not count
	}
	if err == nil && out.Ask != nil {
		x.run.asks(ctx, t, out.Ask)
		t.held = true
		x.ended()
		return
	}
	t.task.Attempt, t.took = task.Attempt, took
	var e *Error
	if err != nil {
		e = asError(err)
	}
	var writes []Write
	if e == nil || e.KeepOutput {
		var bad *Error
		if writes, bad = takeOutput(x.run.graph, task.Node, out.Output); bad != nil {
			e, writes = bad, nil
		}
	}
	if e != nil {
		e.Node, e.Path, e.Attempt, e.Duration = task.Node.Name, task.Path, task.Attempt, took
		if wait, again := t.again(e); again {
			x.run.recordFailure(ctx, t, e)
			x.wg.Go(func() { x.later(ctx, t, wait) })
			return
		}
		if !e.KeepOutput {
			out = Outcome{}
		}
	}
	t.err, t.output, t.writes, t.sends, t.live, t.finished = e, out.Output, writes, out.Sends, out.Live, true
	if x.left.Load() > 1 {
		x.run.endSoon(t) // its siblings still run
	}
	x.ended()
}

// ended counts a task that runs no more in this step.
func (x *execution) ended() {
	if x.left.Add(-1) == 0 {
		close(x.done)
	}
}

// later puts a task back after its back-off.
func (x *execution) later(ctx context.Context, t *taskRun, wait time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	go func() {
		select {
		case <-x.run.drained:
			cancel()
		case <-stop:
		}
	}()
	defer close(stop)
	if x.run.cfg.Clock.Sleep(ctx, wait) == nil {
		x.queue <- t
	}
}

// again decides whether a failed attempt is followed by another, and after how
// long: exponential back-off with jitter, not before the node's own wish.
func (t *taskRun) again(e *Error) (time.Duration, bool) {
	p := t.task.Node.Retry
	if e.KeepOutput || e.Final || t.task.Attempt >= t.budget {
		return 0, false
	}
	if len(p.On) == 0 && !e.Retryable || len(p.On) > 0 && !slices.Contains(p.On, e.Code) {
		return 0, false
	}
	factor := p.Factor
	if factor < 1 {
		factor = 1
	}
	wait := float64(p.Initial) * math.Pow(factor, float64(t.task.Attempt-1))
	if p.Max > 0 {
		wait = min(wait, float64(p.Max))
	}
	wait *= 1 + p.Jitter*(2*rand.Float64()-1)
	const most = float64(24 * time.Hour)
	return max(time.Duration(min(wait, most)), e.RetryAfter), true
}

// runNode calls a node and turns a panic of it into an error.
func runNode(ctx context.Context, n Node, t *Task) (out Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = Outcome{}, &Error{Code: CodePanic, Message: fmt.Sprint(p), Cause: []string{string(debug.Stack())}}
		}
	}()
	return n.Run(ctx, t)
}

// endRecord is the record of how a task ended.
func (t *taskRun) endRecord(r *Run) (*checkpoint.Record, *TaskMeta) {
	kind := checkpoint.KindTaskDone
	if t.err != nil {
		kind = checkpoint.KindTaskFailed
	}
	rec, m := t.newRecord(r, kind)
	m.Error, m.Final = t.err, t.err != nil
	rec.Meta = mustJSON(m)
	return rec, m
}

// recordFailure writes down a failed attempt that another follows. Nobody waits
// for it; if the append fails, so will the step's own, which reports it.
func (r *Run) recordFailure(ctx context.Context, t *taskRun, e *Error) {
	rec, m := t.newRecord(r, checkpoint.KindTaskFailed)
	m.Error = e
	rec.Meta = mustJSON(m)
	commit, err := r.log.append(context.WithoutCancel(ctx), rec)
	if err != nil {
		return
	}
	r.note(rec, m.events(rec.Kind))
	r.syncSoon(commit, rec)
}

// newRecord makes the record of a task, with its output and sends as parts.
func (t *taskRun) newRecord(r *Run, kind checkpoint.Kind) (*checkpoint.Record, *TaskMeta) {
	m := &TaskMeta{Branch: r.branch, Step: t.task.Step, Ended: t.ended()}
	rec := &checkpoint.Record{Kind: kind, Namespace: r.cfg.Namespace, Parent: r.head, Task: t.task.ID.String(), Events: 1}
	if !t.finished {
		return rec, m
	}
	if t.output != nil {
		rec.Parts = append(rec.Parts, t.output)
		m.Output = len(rec.Parts)
	}
	for _, s := range t.sends {
		sm := SendMeta{Node: s.Node}
		if s.Input != nil {
			rec.Parts = append(rec.Parts, s.Input)
			sm.Part = len(rec.Parts)
		}
		m.Sends = append(m.Sends, sm)
	}
	return rec, m
}

func (t *taskRun) ended() Ended {
	return Ended{Node: t.task.Node.Name, Path: t.task.Path, Attempt: t.task.Attempt, Duration: t.took.Microseconds(), Live: t.live}
}
