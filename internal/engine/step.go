package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
)

// superstep runs the tasks that are due and records what they did. A Result
// means that the run ended here.
func (r *Run) superstep(ctx context.Context) (*Result, error) {
	tasks, bad := r.expand()
	if bad != nil {
		return r.failed(ctx, bad)
	}
	r.countCrashes(tasks)
	if e := exhausted(tasks); e != nil {
		return r.failed(ctx, e)
	}
	if e := r.interrupts(ctx, tasks); e != nil {
		return r.failed(ctx, e)
	}
	r.execute(ctx, tasks)

	var fatal *Error
	complete, waiting := true, false
	for _, t := range tasks {
		complete = complete && (t.finished || t.held)
		waiting = waiting || t.held
		if fatal == nil && t.finished && t.fatal() {
			fatal = t.err
		}
	}
	if !complete || fatal != nil || waiting {
		r.recordEnds(tasks)
		switch {
		case !complete:
			return r.stopped(ctx)
		case fatal != nil:
			return r.failed(ctx, fatal)
		}
		return r.release(ctx, StatusWaiting, nil)
	}
	return r.finishStep(ctx, tasks)
}

// exhausted finds a task whose attempts were all used up by owners that died.
func exhausted(tasks []*taskRun) *Error {
	for _, t := range tasks {
		if !t.finished && t.task.Attempt > 0 && t.task.Attempt >= t.budget {
			e := fail(CodeInternal, "%d attempts ended with the death of the process that ran them", t.task.Attempt)
			e.Node, e.Path, e.Attempt = t.task.Node.Name, t.task.Path, t.task.Attempt
			return e
		}
	}
	return nil
}

// recordEnds writes down every result that has no record yet, because the step
// will have none.
func (r *Run) recordEnds(tasks []*taskRun) {
	var left []*taskRun
	for _, t := range tasks {
		if t.finished && !t.recorded {
			t.recorded = true
			left = append(left, t)
		}
	}
	for len(left) > 0 {
		batch := left[:min(len(left), maxEnds)]
		left = left[len(batch):]
		r.appendEnds(batch)
	}
}

func (r *Run) finishStep(ctx context.Context, tasks []*taskRun) (*Result, error) {
	meta := &StepMeta{Branch: r.branch, Step: r.step + 1, Source: SourceLoop, Graph: r.digest}
	plan := stepPlan{carried: deferred(r.next), ended: r.emptied}
	var verdict *Error
	for _, t := range tasks {
		name := t.task.Node.Name
		if len(t.writes) > 0 {
			plan.writes = append(plan.writes, taskWrites{name, t.writes})
		}
		switch {
		case t.err == nil:
			plan.ended = append(plan.ended, name)
			plan.sends = append(plan.sends, t.sends...)
			if !t.recorded {
				meta.Done = append(meta.Done, t.ended())
			}
			continue
		case t.verdict():
			if verdict == nil {
				verdict = t.err
			}
		default:
			plan.errors = append(plan.errors, handled{t.task.Node.OnError, t.err})
		}
		if !t.recorded {
			meta.Errors = append(meta.Errors, t.err)
		}
	}
	meta.After = afterInterrupts(r.graph, plan.ended)
	bad, err := r.commitStep(ctx, meta, plan, verdict)
	if err != nil {
		return nil, err
	}
	if bad != nil {
		r.recordEnds(tasks)
		return r.failed(ctx, bad)
	}
	r.steps++
	r.tasks += len(tasks)
	if verdict != nil {
		return r.result(StatusFailed, verdict), nil
	}
	return nil, nil
}

// stepPlan is what a step record is made from, all in task order.
type stepPlan struct {
	writes  []taskWrites
	ended   []string // nodes whose edges fire
	sends   []Send
	errors  []handled
	carried []due // deferred nodes that go on waiting
}

// handled is a failure that another node takes.
type handled struct {
	node string
	err  *Error
}

func deferred(next []due) []due {
	var out []due
	for _, d := range next {
		if d.Defer {
			out = append(out, d)
		}
	}
	return out
}

// commitStep reduces, routes and records a step, and waits until it is
// durable. An *Error means that the step is wrong and nothing was changed; an
// error that the store did not take it.
func (r *Run) commitStep(ctx context.Context, meta *StepMeta, plan stepPlan, verdict *Error) (*Error, error) {
	red, bad := reduce(r.graph, r.state, plan.writes)
	if bad != nil {
		return bad, nil
	}
	undo := r.state.savepoint(red.ops)
	r.state.apply(red.ops)
	rt, bad := r.route(plan)
	if bad == nil {
		bad = r.checkSize()
	}
	if bad != nil {
		undo()
		return bad, nil
	}
	r.state.apply(rt.ops)

	rec := &checkpoint.Record{Kind: checkpoint.KindStep, Namespace: r.cfg.Namespace, Parent: r.head}
	meta.Next = make([]Pending, 0, len(rt.next))
	for _, d := range rt.next {
		if d.input != nil {
			rec.Parts = append(rec.Parts, d.input)
			d.Part = len(rec.Parts)
		}
		meta.Next = append(meta.Next, d.Pending)
	}
	meta.Status = StatusRunning
	switch {
	case verdict != nil:
		meta.Status = StatusFailed
	case len(rt.next) == 0:
		meta.Status = StatusDone
	}
	rec.Events = meta.count()
	if r.log.kept() {
		rec.Ops = slices.Concat(r.answered, red.ops, rt.ops)
		rec.Meta, rec.Attrs = mustJSON(meta), stepAttrs(r.graph.Name, meta)
	}
	return nil, r.append(ctx, rec, meta, rt.next, verdict)
}

// append writes the step record, with the release behind it when the run ends
// here, so that the last step costs one write like any other.
func (r *Run) append(ctx context.Context, rec *checkpoint.Record, meta *StepMeta, next []due, verdict *Error) error {
	recs := []*checkpoint.Record{rec}
	var ending []Event
	if meta.Status != StatusRunning {
		r.step = meta.Step
		var release *checkpoint.Record
		release, ending = r.releaseRecord(meta.Status, verdict)
		recs = append(recs, release)
	}
	if r.log.kept() {
		ctx = context.WithoutCancel(ctx) // a step that is complete is written down, whatever ended meanwhile
	}
	commit, err := r.log.append(ctx, recs...)
	if err != nil {
		return err
	}
	r.note(rec, meta.events())
	if len(ending) > 0 {
		r.note(recs[1], ending)
	}
	if err := commit.wait(ctx); err != nil {
		return err
	}
	r.head, r.step, r.at, r.next = rec.ID, meta.Step, rec.Time, next
	r.after, r.questions, r.answered = meta.After, nil, nil
	r.flush()
	if meta.Status != StatusRunning {
		return r.log.close()
	}
	return nil
}

// route finds the next frontier from what ended and the channels as they are
// now.
func (r *Run) route(plan stepPlan) (*router, *Error) {
	rt := newRouter(r.graph, r.state)
	rt.next = plan.carried
	for _, name := range plan.ended {
		if err := rt.fire(name); err != nil {
			return nil, err
		}
	}
	for _, s := range plan.sends {
		var err *Error
		if s.Input == nil {
			err = rt.trigger(s.Node)
		} else {
			err = rt.send(s.Node, s.Input, false)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, h := range plan.errors {
		if err := rt.send(h.node, mustJSON(h.err), true); err != nil {
			return nil, err
		}
	}
	return rt, rt.finish()
}

func (r *Run) checkSize() *Error {
	most := r.graph.Run.StateBytes
	if most <= 0 || r.state.size <= most {
		return nil
	}
	e := fail(CodeState, "the channels would hold %d bytes", r.state.size)
	e.Hint = r.raise("state", "run.state", strconv.FormatInt(most, 10)+" bytes")
	return e
}

// stepAttrs are what a thread can be listed by after a step. A graph "" leaves
// the name as it is.
func stepAttrs(graph string, m *StepMeta) []checkpoint.Attr {
	attrs := []checkpoint.Attr{
		{Name: AttrStatus, Value: m.Status}, {Name: AttrDigest, Value: m.Graph}, {Name: AttrStep, Value: strconv.Itoa(m.Step)},
		{Name: AttrSource, Value: m.Source}, {Name: AttrNext, Value: strconv.Itoa(len(m.Next))},
	}
	if graph != "" {
		attrs = append(attrs, checkpoint.Attr{Name: AttrGraph, Value: clip(graph)})
	}
	return attrs
}

// clip keeps a name within the size of an attribute.
func clip(s string) string {
	if len(s) <= checkpoint.MaxAttrValue {
		return s
	}
	return strings.ToValidUTF8(s[:checkpoint.MaxAttrValue], "")
}

// inputPlan is the plan of a step that starts a turn.
func inputPlan(writes []Write) stepPlan {
	return stepPlan{writes: []taskWrites{{workflow.Start, writes}}, ended: []string{workflow.Start}}
}
