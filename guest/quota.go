package guest

import (
	"slices"
	"sync"
)

// quota bounds the memory that all instances of a Runtime have together. An instance that runs counts with
// the limit of its memory, since it may grow to it; one that waits for a call counts with what it has. So
// memory.grow depends on the node's own limit only.
//
// Who finds no room waits in the queue of its pool, and the pool waits here: first come, first served, so
// that a large instance is not passed by small ones for ever. One instance may always run, however large.
//
// mu is the innermost lock: no other is taken under it.
type quota struct {
	max int64

	mu     sync.Mutex
	used   int64
	images int64   // not given back under pressure: pools need them
	full   int     // instances that count with their limit
	hungry []*Pool // that wait for room
}

// raise makes room for n bytes, so that an instance of p can run. If there is none, p has to wait, at the
// end of those who do or, if it has waited already, at the head.
func (b *quota) raise(p *Pool, n int64, served bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if served || len(b.hungry) == 0 {
		if b.fits(n) {
			b.used += n
			b.full++
			return true
		}
	}
	switch {
	case slices.Contains(b.hungry, p):
	case served:
		b.hungry = slices.Insert(b.hungry, 0, p)
	default:
		b.hungry = append(b.hungry, p)
	}
	return false
}

// try makes room for n bytes if nobody waits.
func (b *quota) try(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.hungry) > 0 || !b.fits(n) {
		return false
	}
	b.used += n
	b.full++
	return true
}

func (b *quota) fits(n int64) bool { return b.full == 0 || b.used+b.images+n <= b.max }

// lower gives n bytes back, to those who wait if there are any. full says that the instance does not count
// with its limit any more.
func (b *quota) lower(n int64, full bool) {
	b.mu.Lock()
	b.used -= n
	if full {
		b.full--
	}
	hungry := len(b.hungry) > 0
	b.mu.Unlock()
	if hungry {
		b.feed()
	}
}

// image counts the bytes of an image, or gives them back.
func (b *quota) image(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.images += n
}

// starved says that somebody waits.
func (b *quota) starved() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.hungry) > 0
}

// next takes the pool that has waited longest out of the queue.
func (b *quota) next() *Pool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.hungry) == 0 {
		return nil
	}
	p := b.hungry[0]
	b.hungry = slices.Delete(b.hungry, 0, 1)
	return p
}

// feed lets those who wait have what there is, in order. It is called with no lock held.
func (b *quota) feed() {
	for p := b.next(); p != nil; p = b.next() {
		if !p.offer(true) {
			return // there is not enough for the first, so the others wait too
		}
	}
}

// evict retires instances that wait for a call, those that have waited longest first, until nobody lacks
// room or none are left. Those of p are of use to p.
func (r *Runtime) evict(p *Pool) {
	for r.quota.starved() {
		victim := r.oldest(p)
		if victim == nil || !victim.evict() {
			return
		}
	}
}

// oldest finds the pool, other than p, whose instance has waited longest for a call.
func (r *Runtime) oldest(p *Pool) *Pool {
	var pool *Pool
	var since uint64
	for _, q := range r.allPools() {
		if at := q.parkedAt(); q != p && at != 0 && (pool == nil || at < since) {
			pool, since = q, at
		}
	}
	return pool
}
