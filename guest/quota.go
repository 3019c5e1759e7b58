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

// turn is when a pool asks for room.
type turn int

const (
	uncalled turn = iota // when a call came: it does not go before those who wait
	served               // when it was at the head of those who wait
	alone                // the same, and nothing can be evicted: if nobody runs, it may, however large
)

// raise makes room for n bytes, so that an instance of p can run. If there is none, p has to wait, at the
// end of those who do or, if it has waited already, at the head.
func (b *quota) raise(p *Pool, n int64, t turn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if (t != uncalled || len(b.hungry) == 0) && b.fits(n) || t == alone && b.full == 0 {
		b.used += n
		b.full++
		return true
	}
	switch {
	case slices.Contains(b.hungry, p):
	case t != uncalled:
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

func (b *quota) fits(n int64) bool { return b.used+b.images+n <= b.max }

// lower gives n bytes back, to those who wait if there are any, which it reports. full says that the instance
// does not count with its limit any more.
func (b *quota) lower(n int64, full bool) (fed bool) {
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
	return hungry
}

// image counts the bytes of an image, or gives them back.
func (b *quota) image(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.images += n
}

// starved says that somebody waits.
func (b *quota) starved() bool { return b.head() != nil }

// head is the pool that has waited longest, nil if none waits.
func (b *quota) head() *Pool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.hungry) == 0 {
		return nil
	}
	return b.hungry[0]
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

// quiet says that no instance runs.
func (b *quota) quiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full == 0
}

// feed lets those who wait have what there is, in order. It is called with no lock held.
func (b *quota) feed() {
	for p := b.next(); p != nil; p = b.next() {
		if !p.offer(served) {
			return // there is not enough for the first, so the others wait too
		}
	}
}

// evict sees to it that whoever waits for room gets it, or somebody runs who will come by here when he is
// done. It retires instances that wait for a call, those that have waited longest first; those of the pool
// that lacks room are of use to itself. It is called with no lock held, after a pool had to begin to wait and
// after an instance has stopped to count with its limit.
func (r *Runtime) evict() {
	for p := r.quota.head(); p != nil; p = r.quota.head() {
		if victim := r.oldest(p); victim != nil {
			victim.evict()
			continue
		}
		if !r.quota.quiet() {
			return
		}
		if p = r.quota.next(); p != nil {
			p.offer(alone)
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
