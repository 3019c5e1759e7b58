package ratelimit

import (
	"strings"
	"sync"
	"time"
)

// Table keeps the buckets of one process. It is safe for concurrent use.
type Table struct {
	tenants int
	now     func() int64

	mu      sync.Mutex
	rule    rule
	buckets map[string]*bucket
	ring    []*bucket // all of them
	hand    int       // in ring: where the search for room goes on
}

// bucket is one tenant's.
type bucket struct {
	tenant string
	full   int64 // the time at which it is full, nanoseconds of the table's clock
}

// Options of a Table. The zero value and nil are fine.
type Options struct {
	Tenants int           // most tenants at a time; 0 = 10,000
	Clock   func() int64  // nanoseconds that never go back; nil = the process's monotonic clock
	Lease   time.Duration // of a Shared limiter: how long tokens may be held; 0 = 200 ms
	Timeout time.Duration // of a Shared limiter: how long a call waits for its source; 0 = 1 s
}

const (
	defaultTenants = 10_000
	defaultLease   = 200 * time.Millisecond
	defaultTimeout = time.Second
	// looks is how many buckets are looked at for one that can be forgotten.
	looks = 8
)

// monotonic returns a clock that starts at 1.
func monotonic() func() int64 {
	start := time.Now()
	return func() int64 { return int64(time.Since(start)) + 1 }
}

func (o *Options) withDefaults() Options {
	c := Options{}
	if o != nil {
		c = *o
	}
	if c.Tenants <= 0 {
		c.Tenants = defaultTenants
	}
	if c.Clock == nil {
		c.Clock = monotonic()
	}
	if c.Lease <= 0 {
		c.Lease = defaultLease
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return c
}

// NewTable returns a table with one limit for each tenant. The error is a *LimitError.
func NewTable(l Limit, o *Options) (*Table, error) {
	r, err := l.rule()
	if err != nil {
		return nil, err
	}
	c := o.withDefaults()
	return &Table{tenants: c.Tenants, now: c.Clock, rule: r, buckets: make(map[string]*bucket)}, nil
}

// Set changes the limit, for all tenants and at once. What was spent stays spent. The error is a *LimitError, and nothing changed.
func (t *Table) Set(l Limit) error {
	r, err := l.rule()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rule = r
	return nil
}

// Take spends n tokens of a tenant, all or none. It allocates only for a tenant that is new. n below 1 is Deny.
func (t *Table) Take(tenant string, n int64) Decision {
	if n < 1 {
		return Deny
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buckets[tenant]
	if b == nil {
		if b = t.add(tenant, now); b == nil {
			return Crowded
		}
	}
	full, ok := t.rule.take(b.full, now, n)
	b.full = full
	if !ok {
		return Deny
	}
	return Allow
}

// add makes a bucket, in the place of one that says nothing any more if the table is full. It gives nil if there is none among the next few.
func (t *Table) add(tenant string, now int64) *bucket {
	b := &bucket{tenant: strings.Clone(tenant)}
	if len(t.ring) < t.tenants {
		t.ring = append(t.ring, b)
		t.buckets[b.tenant] = b
		return b
	}
	for range min(looks, len(t.ring)) {
		at := t.hand
		t.hand = (t.hand + 1) % len(t.ring)
		if old := t.ring[at]; old.full <= now {
			delete(t.buckets, old.tenant)
			t.ring[at] = b
			t.buckets[b.tenant] = b
			return b
		}
	}
	return nil
}

// Tenants is how many tenants have a bucket.
func (t *Table) Tenants() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.ring)
}
