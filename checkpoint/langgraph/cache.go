package langgraph

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"github.com/dashhost/dashhost/checkpoint"
)

// cache keeps the indexes of threads that were asked for lately.
type cache struct {
	store *checkpoint.Store
	limit int64 // about how many bytes

	mu      sync.Mutex
	cost    int64
	entries map[string]*list.Element // of *cached
	order   *list.List               // lately used first
}

type cached struct {
	thread string
	cost   int64 // as it is counted in cache.cost; guarded by cache.mu

	mu sync.RWMutex
	x  *index // nil: nothing was read
}

func newCache(s *checkpoint.Store, limit int64) *cache {
	return &cache{store: s, limit: limit, entries: map[string]*list.Element{}, order: list.New()}
}

// errMoved says that the thread was written anew while it was read.
var errMoved = errors.New("the thread was written anew")

// attempts is how often an operation looks again at a thread that others write anew.
const attempts = 16

// view calls f with an index of the thread as it is now, nil if there is no such thread, and again if f finds that the thread was
// written anew in between. The index does not change during f.
func (c *cache) view(ctx context.Context, thread string, f func(*index) error) error {
	for range attempts {
		err := c.viewOnce(ctx, thread, f)
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return faultf(codeConflict, "thread %q: others write it anew again and again", thread[len(threadPrefix):])
}

func (c *cache) viewOnce(ctx context.Context, thread string, f func(*index) error) error {
	info, err := c.store.Thread(ctx, thread)
	if errors.Is(err, checkpoint.ErrNotFound) {
		c.drop(thread)
		return f(nil)
	}
	if err != nil {
		return err
	}
	if info.Damage != nil {
		return info.Damage
	}
	e := c.entry(thread)
	e.mu.RLock()
	if e.x == nil || e.x.epoch != info.Epoch || e.x.last < info.Last {
		e.mu.RUnlock()
		if err := c.follow(ctx, e, info); err != nil {
			return err
		}
		e.mu.RLock()
	}
	defer e.mu.RUnlock()
	if e.x == nil || e.x.epoch != info.Epoch {
		return errMoved
	}
	err = f(e.x)
	c.count(e, e.x.cost+e.x.recent.size())
	return err
}

// follow reads what came since e was read.
func (c *cache) follow(ctx context.Context, e *cached, info *checkpoint.ThreadInfo) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.x != nil && e.x.epoch > info.Epoch { // another reader saw a later generation
		return errMoved
	}
	if e.x == nil || e.x.epoch != info.Epoch {
		e.x = newIndex(info.Epoch, c.limit/16)
	}
	if e.x.last >= info.Last {
		return nil
	}
	if err := e.x.read(ctx, c.store, e.thread, info); err != nil {
		e.x = nil // half of the records may be in
		return err
	}
	return nil
}

// read takes in the records up to info's last.
func (x *index) read(ctx context.Context, s *checkpoint.Store, thread string, info *checkpoint.ThreadInfo) error {
	for r, err := range s.RecordsBetween(ctx, thread, x.last+1, info.Last) {
		switch {
		case errors.Is(err, checkpoint.ErrNotFound):
			return errMoved
		case err != nil:
			return err
		case r.Epoch > info.Epoch:
			return errMoved
		}
		if err := x.add(r); err != nil {
			return err
		}
	}
	if x.last != info.Last {
		return errMoved
	}
	return nil
}

func (c *cache) entry(thread string) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[thread]; el != nil {
		c.order.MoveToFront(el)
		return el.Value.(*cached)
	}
	e := &cached{thread: thread}
	c.entries[thread] = c.order.PushFront(e)
	return e
}

// count sets what e takes, and forgets others that were not used for longest if that is too much.
func (c *cache) count(e *cached, cost int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[e.thread]; el == nil || el.Value != e {
		return // forgotten in between: only its users have it
	}
	c.cost += cost - e.cost
	e.cost = cost
	for c.cost > c.limit && c.order.Len() > 1 {
		c.remove(c.order.Back())
	}
}

func (c *cache) drop(thread string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[thread]; el != nil {
		c.remove(el)
	}
}

func (c *cache) remove(el *list.Element) {
	e := c.order.Remove(el).(*cached)
	delete(c.entries, e.thread)
	c.cost -= e.cost
}
