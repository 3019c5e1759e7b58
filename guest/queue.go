package guest

import (
	"context"
	"fmt"
	"slices"
)

// waiter is a call that waits for a slot of its pool.
type waiter struct {
	ready chan struct{} // closed when it was given a slot, or the pool was closed
	err   error         // set before ready is closed: ErrClosed
}

// enter takes a slot, or waits for one behind those who came before.
func (p *Pool) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	if p.busy < p.cfg.Max {
		p.busy++
		p.mu.Unlock()
		return nil
	}
	w := &waiter{ready: make(chan struct{})}
	p.queue = append(p.queue, w)
	p.mu.Unlock()
	select {
	case <-w.ready:
		return w.err
	case <-ctx.Done():
	}
	if p.giveUp(w) || w.err != nil {
		return fmt.Errorf("module %s: wait for one of %d instances: %w", p.name, p.cfg.Max, ctx.Err())
	}
	p.leave() // the slot came at the same moment
	return ctx.Err()
}

// giveUp takes w out of the queue. It reports false if w was served already.
func (p *Pool) giveUp(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, w)
	if i < 0 {
		return false
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	return true
}

// leave hands the slot to whoever has waited longest, or gives it back.
func (p *Pool) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		close(p.queue[0].ready)
		p.queue = slices.Delete(p.queue, 0, 1)
		return
	}
	p.busy--
	p.settle()
}

// shut refuses all further calls and those that wait, and gives the idle instances to be retired.
func (p *Pool) shut() (idle []*instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle, p.idle = p.idle, nil
	for _, w := range p.queue {
		w.err = ErrClosed
		close(w.ready)
	}
	p.queue = nil
	if !p.closed {
		p.closed = true
		p.settle()
	}
	return idle
}

// settle says that a closed pool has drained. It is called with mu held.
func (p *Pool) settle() {
	if p.closed && p.busy == 0 {
		close(p.drained)
		p.free()
	}
}
