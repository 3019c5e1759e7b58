package engine

import (
	"context"

	"github.com/dashhost/dashhost/checkpoint"
)

// note keeps the events of an appended record until it is durable.
func (r *Run) note(rec *checkpoint.Record) {
	if r.cfg.Emit == nil {
		return
	}
	evs, err := Events(rec)
	if err != nil {
		panic("BUG: the engine cannot read what it wrote: " + err.Error())
	}
	r.mu.Lock()
	r.box.add(evs)
	r.mu.Unlock()
}

// flush emits what was noted. It is called when everything appended so far is
// durable; what is durable is always a prefix of the log.
func (r *Run) flush() {
	if r.cfg.Emit == nil {
		return
	}
	r.mu.Lock()
	evs := r.box.take()
	r.mu.Unlock()
	for _, e := range evs {
		r.cfg.Emit(e)
	}
}

// syncSoon sees to it that a record nobody waits for becomes durable even if
// its siblings run for hours: one goroutine at a time waits for the newest.
func (r *Run) syncSoon(c *checkpoint.Commit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = c
	if r.busy {
		return
	}
	r.busy = true
	r.flusher.Go(func() {
		for {
			r.mu.Lock()
			c := r.last
			r.last = nil
			if c == nil {
				r.busy = false
				r.mu.Unlock()
				return
			}
			r.mu.Unlock()
			if c.Wait(context.Background()) != nil {
				continue // the step's own wait meets the same error and reports it
			}
		}
	})
}
