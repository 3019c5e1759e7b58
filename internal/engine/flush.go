package engine

import (
	"context"
	"math"

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

// pendingSync is an append that nobody waits for.
type pendingSync struct {
	commit *checkpoint.Commit
	last   uint64 // its last event
}

// syncSoon sees to it that a record nobody waits for becomes durable, and is
// told, even if its siblings run for hours: one goroutine at a time waits for
// the newest.
func (r *Run) syncSoon(c *checkpoint.Commit, rec *checkpoint.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsynced = &pendingSync{c, lastEvent(rec)}
	if r.syncing {
		return
	}
	r.syncing = true
	r.flusher.Go(r.sync)
}

func (r *Run) sync() {
	for {
		r.mu.Lock()
		p := r.unsynced
		r.unsynced = nil
		if p == nil {
			r.syncing = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if p.commit.Wait(context.Background()) == nil { // else the step's own wait meets the same error and reports it
			r.emit(p.last, true)
		}
	}
}
