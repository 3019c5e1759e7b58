package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Source keeps the buckets of a quota that several processes share, on a clock of its own. It is safe for concurrent use.
type Source interface {
	// Lease takes between least and most tokens of a tenant, as many as there are, and none if there are less than least. It returns
	// soon after ctx ends. After an error nobody knows whether tokens were taken, and none are spent.
	Lease(ctx context.Context, tenant string, l Limit, least, most int64) (granted int64, err error)
}

// ErrClosed: the limiter is closed.
var ErrClosed = errors.New("rate limiter is closed")

// Shared spends a quota that other processes spend too. It is safe for concurrent use.
type Shared struct {
	source Source
	o      Options

	mu     sync.Mutex
	limit  Limit // asked of the source: what leases hold is taken off
	chunk  int64 // tokens of one lease
	leases map[string]*lease
	closed bool
	asking sync.WaitGroup
	cancel context.CancelFunc
	ctx    context.Context //nolint:containedctx // ends when the limiter is closed: requests that run ahead of calls belong to no call
}

// tokens are leased until a time of the limiter's clock.
type tokens struct{ left, until int64 }

// lease is what one tenant holds.
type lease struct {
	now    tokens
	next   tokens        // leased while there was some left
	asked  chan struct{} // closed when the request that is under way has ended, nil if there is none
	failed bool          // the last request did
	empty  bool          // the last request was granted nothing
	wanted int64         // least of the request that is under way
}

// NewShared returns a limiter over a source. Each of the processes makes one with the same limit. The error is a *LimitError.
func NewShared(s Source, l Limit, o *Options) (*Shared, error) {
	ctx, cancel := context.WithCancel(context.Background())
	sh := &Shared{source: s, o: o.withDefaults(), leases: make(map[string]*lease), ctx: ctx, cancel: cancel}
	if err := sh.Set(l); err != nil {
		cancel()
		return nil, err
	}
	return sh, nil
}

// Set changes the limit. What is leased already is spent. The error is a *LimitError, and nothing changed.
func (s *Shared) Set(l Limit) error {
	r, err := l.rule()
	if err != nil {
		return err
	}
	held := int64(s.o.Lease)/r.interval + 1
	if held >= r.burst {
		return &LimitError{l, fmt.Sprintf("leases of %v hold back %d tokens: expected a greater burst", s.o.Lease, held)}
	}
	l.Burst = r.burst - held
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit, s.chunk = l, max(1, held/2)
	return nil
}

// Take spends n tokens of a tenant, all or none. It waits for the source only when nothing is leased, at most for the timeout of the
// options. n below 1, and n over what the source ever grants, is Deny.
func (s *Shared) Take(ctx context.Context, tenant string, n int64) Decision {
	d, wait := s.try(tenant, n)
	if wait == nil {
		return d
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	for wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return Unknown
		}
		var done bool
		if d, done = s.outcome(tenant, n); done {
			return d
		}
		d, wait = s.try(tenant, n)
	}
	return d
}

// held is how many tokens can be spent.
func (l *lease) held(now int64) int64 {
	var n int64
	for _, t := range [...]tokens{l.now, l.next} {
		if t.until > now {
			n += t.left
		}
	}
	return n
}

// spend takes n tokens, those that end first before the others, if there are so many.
func (l *lease) spend(now, n int64) bool {
	if l.held(now) < n {
		return false
	}
	if l.now.until <= now {
		l.now.left = 0
	}
	first := min(n, l.now.left)
	l.now.left -= first
	if l.now.left == 0 {
		l.now, l.next = l.next, tokens{}
		l.now.left -= n - first
	}
	return true
}

// grant adds tokens. If two leases are held already, the two that end last go together and end with the first of them.
func (l *lease) grant(t tokens, now int64) {
	if l.now.left == 0 || l.now.until <= now {
		l.now, l.next = l.next, tokens{}
	}
	switch {
	case l.now.left == 0 || l.now.until <= now:
		l.now = t
	case l.next.left == 0 || l.next.until <= now:
		l.next = t
	default:
		l.next = tokens{left: l.next.left + t.left, until: min(l.next.until, t.until)}
	}
}

// try spends what is leased, or gives a channel to wait for.
func (s *Shared) try(tenant string, n int64) (Decision, <-chan struct{}) {
	now := s.o.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Unknown, nil
	}
	if n < 1 || n > s.limit.Burst {
		return Deny, nil
	}
	l := s.leases[tenant]
	if l == nil {
		if l = s.add(tenant, now); l == nil {
			return Crowded, nil
		}
	}
	if l.spend(now, n) {
		if l.held(now) < s.chunk/4 && l.asked == nil {
			s.ask(tenant, l, 1) // before it is used up
		}
		return Allow, nil
	}
	if l.asked == nil {
		s.ask(tenant, l, n-l.held(now))
	}
	return Unknown, l.asked
}

// outcome decides for a caller whose request has ended. It reports false if the caller has to try again.
func (s *Shared) outcome(tenant string, n int64) (Decision, bool) {
	now := s.o.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[tenant]
	switch {
	case s.closed:
		return Unknown, true
	case l == nil:
		return Unknown, false
	case l.spend(now, n):
		return Allow, true
	case l.failed:
		return Unknown, true
	case l.empty && l.wanted <= n:
		return Deny, true
	}
	return Unknown, false // others were faster
}

// add makes an entry, in the place of one that holds nothing if there is no room. It is called with mu held.
func (s *Shared) add(tenant string, now int64) *lease {
	if len(s.leases) >= s.o.Tenants {
		found, looked := "", 0
		for name, l := range s.leases { // the order of a map is as good as any
			if looked++; looked > looks {
				return nil
			}
			if l.asked == nil && l.held(now) == 0 {
				found = name
				break
			}
		}
		if _, ok := s.leases[found]; !ok {
			return nil
		}
		delete(s.leases, found)
	}
	l := &lease{}
	s.leases[strings.Clone(tenant)] = l
	return l
}

// ask leases more in the background. It is called with mu held.
func (s *Shared) ask(tenant string, l *lease, least int64) {
	l.asked, l.wanted = make(chan struct{}), least
	limit, most := s.limit, max(least, s.chunk)
	s.asking.Add(1)
	go func() {
		defer s.asking.Done()
		ctx, cancel := context.WithTimeout(s.ctx, s.o.Timeout)
		defer cancel()
		begun := s.o.Clock()
		granted, err := s.source.Lease(ctx, tenant, limit, least, min(most, limit.Burst))
		s.mu.Lock()
		defer s.mu.Unlock()
		l.failed, l.empty = err != nil, err == nil && granted == 0
		if err == nil && granted > 0 {
			l.grant(tokens{left: granted, until: begun + int64(s.o.Lease)}, s.o.Clock())
		}
		close(l.asked)
		l.asked = nil
	}()
}

// Close ends requests that are under way. Tokens that are leased are lost: the source gives new ones in time. Every answer after it is
// Unknown. Closing twice is harmless.
func (s *Shared) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.asking.Wait()
}

// memory is a Source in this process: for tests, and to see how a shared quota behaves.
type memory struct {
	mu   sync.Mutex
	now  func() int64
	full map[string]int64
}

// NewMemory returns a Source that keeps its buckets in this process. nil is the monotonic clock.
func NewMemory(clock func() int64) Source {
	if clock == nil {
		clock = monotonic()
	}
	return &memory{now: clock, full: make(map[string]int64)}
}

// Lease implements Source.
func (m *memory) Lease(ctx context.Context, tenant string, l Limit, least, most int64) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r, err := l.rule()
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	free := r.span - max(0, m.full[tenant]-now)
	n := min(most, free/r.interval)
	if n < least {
		return 0, nil
	}
	m.full[tenant], _ = r.take(m.full[tenant], now, n)
	return n, nil
}
