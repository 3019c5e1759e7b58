package engine

import (
	"context"
	"math"
	"sync"

	"github.com/dashhost/dashhost/checkpoint"
)

// note keeps the events of an appended record, as its Meta makes them, until it
// is durable.
func (r *Run) note(rec *checkpoint.Record, evs []Event) {
	if r.cfg.Emit == nil {
		return
	}
	r.mu.Lock()
	r.box.add(numbered(rec, evs))
	r.mu.Unlock()
}

// flush emits all that was noted. It is called when everything appended so far
// is durable and has been noted.
func (r *Run) flush() { r.emit(math.MaxUint64, false) }

// emit sends events in order, one goroutine at a time. While tasks run, a
// record may be appended and not yet noted when a later one is durable already:
//
//	worker A: append, gets number 10
//	worker B: append, gets number 11, note, sync
//	worker B: emit up to 11 must not send 11 yet
//	worker A: note
//
// so emit stops at a gap if told to; the next one sends the rest.
func (r *Run) emit(last uint64, stopAtGap bool) {
	if r.cfg.Emit == nil {
		return
	}
	r.emitting.Lock()
	defer r.emitting.Unlock()
	r.mu.Lock()
	evs := r.box.take(last, stopAtGap)
	r.mu.Unlock()
	for _, e := range evs {
		r.cfg.Emit(e)
	}
}

// lastEvent is the number of the last event that rec makes, 0 if it makes none.
func lastEvent(rec *checkpoint.Record) uint64 {
	if rec.Events == 0 {
		return 0
	}
	return rec.FirstEvent + uint64(rec.Events) - 1
}

// background is what a run writes while its tasks go on: records that nobody
// waits for. One goroutine at a time, the writer, appends the ends of tasks in
// batches, waits until they and what others appended are durable, and emits
// their events. Tasks that end faster than it writes are still waiting when the
// step is complete, and travel in the step's own record.
type background struct {
	ends      []*taskRun   // ended, not yet taken by the writer
	unsynced  *pendingSync // newest append of somebody else
	writing   bool         // the writer runs
	appending bool         // and has taken ends that it has not appended yet
	idle      *sync.Cond   // on Run.mu: appending has become false
}

// pendingSync is an append that nobody waits for.
type pendingSync struct {
	commit commit
	last   uint64 // its last event
}

// maxEnds is how many tasks' ends one append takes.
const maxEnds = 512

// syncSoon sees to it that a record becomes durable, and is told, even if the
// tasks of the step run for hours.
func (r *Run) syncSoon(c commit, rec *checkpoint.Record) {
	r.mu.Lock()
	r.bg.unsynced = &pendingSync{c, lastEvent(rec)}
	r.startWriter()
	r.mu.Unlock()
}

// endSoon hands the end of a task to the writer.
func (r *Run) endSoon(t *taskRun) {
	r.mu.Lock()
	r.bg.ends = append(r.bg.ends, t)
	r.startWriter()
	r.mu.Unlock()
}

// startWriter is called with mu held.
func (r *Run) startWriter() {
	if !r.bg.writing {
		r.bg.writing = true
		r.flusher.Go(r.write)
	}
}

// write is the writer.
func (r *Run) write() {
	for {
		r.mu.Lock()
		batch, p := r.bg.ends[:min(len(r.bg.ends), maxEnds)], r.bg.unsynced
		r.bg.ends, r.bg.unsynced = r.bg.ends[len(batch):], nil
		if len(batch) == 0 && p == nil {
			r.bg.writing = false
			r.mu.Unlock()
			return
		}
		r.bg.appending = len(batch) > 0
		for _, t := range batch {
			t.recorded = true
		}
		r.mu.Unlock()
		if len(batch) > 0 {
			if q := r.appendEnds(batch); q != nil {
				p = q
			}
			r.mu.Lock()
			r.bg.appending = false
			r.bg.idle.Broadcast()
			r.mu.Unlock()
		}
		if p != nil && p.commit.wait(context.Background()) == nil { // else the step's own wait meets the same error and reports it
			r.emit(p.last, true)
		}
	}
}

// takeBack ends the writer's claim on tasks that it has not recorded: they are
// the step's then. What it has taken is appended when takeBack returns.
func (r *Run) takeBack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bg.ends = nil
	for r.bg.appending {
		r.bg.idle.Wait()
	}
}

// appendEnds writes down how tasks ended, so that they never run again. If that
// fails, so will the step's own append, which reports it.
func (r *Run) appendEnds(tasks []*taskRun) *pendingSync {
	recs := make([]*checkpoint.Record, len(tasks))
	metas := make([]*TaskMeta, len(tasks))
	for i, t := range tasks {
		recs[i], metas[i] = t.endRecord(r)
	}
	commit, err := r.log.append(context.Background(), recs...)
	if err != nil {
		return nil
	}
	for i, rec := range recs {
		r.note(rec, metas[i].events(rec.Kind))
	}
	return &pendingSync{commit, lastEvent(recs[len(recs)-1])}
}
