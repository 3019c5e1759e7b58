package guest

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// An instance of a pool is in one of these places. Each counts in Pool.live.
//
//	  start         policy reset               put back
//	 -------> busy --------------> dirty -------------------> clean
//	           | \  policy reuse                                ^
//	           |  ---------------------------------------------+   clean --> busy, with the next call
//	           |   policy fresh, worn out, any error           closed
//	           +------------------------------------> spent ----------> (gone)
//
// Putting back and closing is done in the background, after the call that made it necessary has its result.
// A call takes a clean instance, else a dirty one that it puts back itself, else one that it starts, in the
// place of a spent one if need be, else it waits for whichever comes first, behind those who came before.

// grant is what a call gets: an instance, or the right to start one.
type grant struct {
	in  *instance
	err error // ErrClosed
}

// waiter is a call that waits.
type waiter struct {
	ready chan struct{} // closed when grant is set
	grant grant
}

// acquire takes an instance for a call.
func (p *Pool) acquire(ctx context.Context) (*instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	if len(p.queue) == 0 {
		if g, got := p.grant(1, uncalled); got == granted {
			p.mu.Unlock()
			return p.use(ctx, g.in)
		}
	}
	w := &waiter{ready: make(chan struct{})}
	p.queue = append(p.queue, w)
	p.waits++
	p.mu.Unlock()
	p.rt.evict()
	g, err := p.wait(ctx, w)
	if err != nil {
		return nil, err
	}
	return p.use(ctx, g.in)
}

// wait waits for the turn of w.
func (p *Pool) wait(ctx context.Context, w *waiter) (grant, error) {
	began := time.Now()
	select {
	case <-w.ready:
	case <-ctx.Done():
		if p.giveUp(w) {
			return grant{}, fmt.Errorf("module %s: wait for one of %d instances: %w", p.name, p.cfg.Max, ctx.Err())
		}
		<-w.ready // its turn came at the same moment
		if w.grant.err == nil {
			p.pass(w.grant.in)
		}
		return grant{}, ctx.Err()
	}
	if w.grant.err == nil {
		p.mu.Lock()
		p.waited += time.Since(began)
		p.mu.Unlock()
	}
	return w.grant, w.grant.err
}

// verdict is what came of asking for a grant.
type verdict int

const (
	granted verdict = iota
	crowded         // the pool has as many instances as it may
	starved         // the quota has no room
)

// grant finds something for the first of the callers that want an instance. It is called with mu held.
func (p *Pool) grant(callers int, t turn) (grant, verdict) {
	b := &p.rt.quota
	if n := len(p.clean); n > 0 {
		in := p.clean[n-1]
		if !b.raise(p, p.full()-in.held, t) {
			return grant{}, starved
		}
		p.clean = slices.Delete(p.clean, n-1, n)
		return grant{in: in}, granted
	}
	if n := len(p.dirty); n > 0 {
		in := p.dirty[n-1]
		p.dirty = slices.Delete(p.dirty, n-1, n)
		return grant{in: in}, granted
	}
	if n := len(p.spent); n > 0 && p.live >= p.cfg.Max {
		in := p.spent[n-1]
		p.spent = slices.Delete(p.spent, n-1, n)
		return grant{in: in}, granted
	}
	// One that is being put back comes sooner than a new one.
	if p.live >= p.cfg.Max || p.cleaning >= callers {
		return grant{}, crowded
	}
	if !b.raise(p, p.full(), t) {
		return grant{}, starved
	}
	p.live++
	return grant{}, granted
}

// use makes what was granted ready for a call.
func (p *Pool) use(ctx context.Context, in *instance) (*instance, error) {
	if in != nil && in.dirty {
		p.reset(in)
	}
	if in != nil && !in.spent {
		return in, nil
	}
	if in != nil {
		in.retire()
	}
	in, err := p.start(ctx)
	if err != nil {
		p.calls.Add(1)
		p.failed.Add(1)
		p.leave()
		return nil, err
	}
	return in, nil
}

// release takes an instance back after a call. Whoever waits gets it as it is; else it is cleaned in the
// background, as the caller has its result by then.
func (p *Pool) release(in *instance) {
	switch {
	case in.spent:
	case p.cfg.Policy == PolicyFresh:
		in.condemn(RetiredDone)
	case p.cfg.Policy == PolicyReset:
		in.dirty = true
	case in.calls >= p.cfg.ReuseMax:
		in.condemn(RetiredWorn)
	}
	p.pass(in)
}

// pass hands an instance to the next that waits, or puts it where it belongs.
func (p *Pool) pass(in *instance) {
	if in == nil { // the right to start one
		p.leave()
		return
	}
	p.mu.Lock()
	if in.cleaning {
		in.cleaning = false
		p.cleaning--
	}
	if p.closed {
		in.condemn(RetiredClosed)
	}
	if in.spent {
		p.strike(in)
	}
	switch {
	case len(p.queue) > 0:
		p.hand(grant{in: in})
		p.mu.Unlock()
	case in.spent:
		p.spent = append(p.spent, in)
		p.wake()
		p.mu.Unlock()
	case in.dirty:
		p.dirty = append(p.dirty, in)
		p.wake()
		p.mu.Unlock()
	default:
		p.park(in)
	}
}

// wake sees to it that somebody cleans up. It is called with mu held.
func (p *Pool) wake() {
	if !p.cleaner {
		p.cleaner = true
		go p.cleanUp()
	}
}

// hand gives g to whoever has waited longest. It is called with mu held.
func (p *Pool) hand(g grant) {
	w := p.queue[0]
	p.queue = slices.Delete(p.queue, 0, 1)
	w.grant = g
	close(w.ready)
}

// park keeps a clean instance for a later call, or retires it if other pools lack memory. It is called with
// mu held, and releases it.
func (p *Pool) park(in *instance) {
	if p.rt.quota.starved() {
		p.mu.Unlock()
		in.condemn(RetiredEvicted)
		in.retire()
		p.leave()
		return
	}
	in.held = min(int64(len(in.memory.buf)), p.full())
	in.parked = p.rt.clock.Add(1)
	p.clean = append(p.clean, in)
	p.mu.Unlock()
	if p.rt.quota.lower(p.full()-in.held, true) {
		p.rt.evict()
	}
}

// cleanUp puts dirty instances back and closes spent ones until there are none.
func (p *Pool) cleanUp() {
	for p.putBack() || p.closeSpent() {
	}
}

// putBack puts one dirty instance back. It reports false if there is none.
func (p *Pool) putBack() bool {
	p.mu.Lock()
	if len(p.dirty) == 0 {
		p.mu.Unlock()
		return false
	}
	in := p.dirty[0]
	p.dirty = slices.Delete(p.dirty, 0, 1)
	p.cleaning++
	in.cleaning = true
	p.mu.Unlock()
	p.reset(in)
	p.pass(in)
	return true
}

// closeSpent closes one spent instance. If there is none it reports false, and the cleaner is done.
func (p *Pool) closeSpent() bool {
	p.mu.Lock()
	if len(p.spent) == 0 {
		p.cleaner = len(p.dirty) > 0
		more := p.cleaner
		p.mu.Unlock()
		return more
	}
	in := p.spent[0]
	p.spent = slices.Delete(p.spent, 0, 1)
	p.closing++
	p.mu.Unlock()
	in.retire()
	p.mu.Lock()
	p.closing--
	p.gone()
	p.mu.Unlock()
	p.yield(p.full(), true)
	p.rt.evict()
	return true
}

// leave gives back the place of an instance that counted with its limit, and lets others have it.
func (p *Pool) leave() {
	p.vacate(p.full(), true)
	p.rt.evict()
}

// vacate gives back the place of an instance that counted n bytes.
func (p *Pool) vacate(n int64, full bool) {
	p.mu.Lock()
	p.gone()
	p.mu.Unlock()
	p.yield(n, full)
}

// yield lets others have the place and the bytes that an instance had.
func (p *Pool) yield(n int64, full bool) {
	p.rt.quota.lower(n, full)
	p.offer(uncalled)
}

// offer gives those who wait what there is. It reports false if the quota stood in the way.
func (p *Pool) offer(t turn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 {
		g, got := p.grant(len(p.queue), t)
		if got != granted {
			return got != starved
		}
		p.hand(g)
	}
	return true
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

// parkedAt says when the clean instance that has waited longest began to, in the runtime's count; 0 if there
// is none.
func (p *Pool) parkedAt() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.clean) == 0 {
		return 0
	}
	return p.clean[0].parked
}

// evict retires the clean instance that has waited longest. It reports false if there is none any more.
func (p *Pool) evict() bool {
	p.mu.Lock()
	if len(p.clean) == 0 {
		p.mu.Unlock()
		return false
	}
	in := p.clean[0]
	p.clean = slices.Delete(p.clean, 0, 1)
	p.mu.Unlock()
	in.condemn(RetiredEvicted)
	in.retire()
	p.vacate(in.held, false)
	return true
}

// shut refuses all further calls and those that wait, and retires the instances that wait for one.
func (p *Pool) shut() {
	p.mu.Lock()
	clean, rest := p.clean, append(p.dirty, p.spent...)
	p.clean, p.dirty, p.spent = nil, nil, nil
	for len(p.queue) > 0 {
		p.hand(grant{err: ErrClosed})
	}
	if !p.closed {
		p.closed = true
		p.settle()
	}
	p.mu.Unlock()
	for _, in := range clean {
		in.condemn(RetiredClosed)
		in.retire()
		p.vacate(in.held, false)
	}
	for _, in := range rest {
		in.condemn(RetiredClosed)
		in.retire()
		p.leave()
	}
}

// gone counts one instance less. A closed pool without any has drained, and gives back what they shared. It is
// called with mu held.
func (p *Pool) gone() {
	p.live--
	p.settle()
}

func (p *Pool) settle() {
	if p.closed && p.live == 0 {
		close(p.drained)
		p.free()
	}
}
