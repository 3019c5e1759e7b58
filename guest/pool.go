package guest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashhost/dashhost/abi"
)

// Policy says what becomes of an instance after a call that ended well.
type Policy string

const (
	// PolicyFresh gives every call a new instance. It is the default.
	PolicyFresh Policy = "fresh"
	// PolicyReuse hands the instance with all it remembers to the next call: for kept-alive interpreters
	// and for guests that are trusted not to mix up their calls.
	PolicyReuse Policy = "reuse"
	// PolicyReset puts an instance back to what it was after its start phase. NewPool gives ErrNotInVersion.
	PolicyReset Policy = "reset"
)

// PoolConfig describes the instances of one node.
type PoolConfig struct {
	Policy    Policy      // "" = PolicyFresh
	ConfigLen int         // parameter of dash_start, length of the node's configuration
	Limits    Limits      // zero fields = DefaultLimits
	Max       int         // instances at a time; 0 = GOMAXPROCS
	ReuseMax  int         // calls that one instance serves under PolicyReuse; 0 = 10,000
	Start     func() Host // makes the host of one instance's start phase; required, called concurrently
}

const defaultReuseMax = 10_000

// Result is how a call ended that the guest ended itself.
type Result struct {
	Status     abi.Status    // abi.Done, abi.Failed or abi.Interrupted
	Fuel       uint64        // units that were charged: the same for the same module, input and answers of the Host
	Memory     int64         // size of the instance's memory at the end, bytes
	LogDropped int64         // bytes of log and standard output over limit log
	Duration   time.Duration // of dash_run
}

// Stats is what a pool has done and holds. The counters only grow.
type Stats struct {
	Max     int // instances at a time
	Idle    int // instances that wait for a call
	Busy    int // calls that run or start an instance
	Waiting int // calls that wait for an instance

	Calls   uint64 // calls that got an instance
	Failed  uint64 // of them, those that returned an error
	Started uint64 // start phases begun
	Retired uint64 // instances that are gone

	Fuel      uint64 // units that calls were charged, also those that failed
	StartFuel uint64 // units that start phases were charged
}

// Pool runs the calls of one node on a bounded number of instances. Calls wait in the order in which they
// came. A Pool is safe for concurrent use.
type Pool struct {
	code   *code
	name   string
	cfg    PoolConfig
	limits Limits

	calls, failed, started, retired atomic.Uint64
	fuel, startFuel                 atomic.Uint64

	mu      sync.Mutex
	busy    int                    // slots taken: calls that run or start an instance
	queue   []*waiter              // calls that wait for a slot, in order
	idle    []*instance            // newest last
	all     map[*instance]struct{} // idle and busy
	closed  bool
	drained chan struct{} // closed when the pool is closed and no slot is taken
	freed   bool          // the compiled code was given back
}

// NewPool makes a pool of instances of m. It fails with ErrClosed, ErrNotInVersion, a *LoadError if the
// module needs more than the limits allow from the start, or an error that lists the faults of c.
func (m *Module) NewPool(c PoolConfig) (*Pool, error) {
	limits, err := c.check()
	if err != nil {
		return nil, fmt.Errorf("pool of module %s: %w", m.name, err)
	}
	if err := m.fits(&limits); err != nil {
		return nil, err
	}
	code, err := m.compiledFor(limits.Table)
	if err != nil {
		return nil, err
	}
	p := &Pool{
		code: code, name: m.name, cfg: c, limits: limits,
		all: make(map[*instance]struct{}), drained: make(chan struct{}),
	}
	if !code.rt.adopt(p) {
		code.release()
		return nil, ErrClosed
	}
	return p, nil
}

// check fills in the defaults and reports all faults at once.
func (c *PoolConfig) check() (Limits, error) {
	var faults []error
	switch c.Policy {
	case "":
		c.Policy = PolicyFresh
	case PolicyFresh, PolicyReuse:
	case PolicyReset:
		faults = append(faults, fmt.Errorf("policy %s: %w", c.Policy, ErrNotInVersion))
	default:
		faults = append(faults, fmt.Errorf("policy %q is unknown, expected %s or %s", c.Policy, PolicyFresh, PolicyReuse))
	}
	if c.ConfigLen < 0 || c.ConfigLen > abi.MaxSize {
		faults = append(faults, fmt.Errorf("configuration length %d is not between 0 and %d", c.ConfigLen, abi.MaxSize))
	}
	if c.Max < 0 || c.ReuseMax < 0 {
		faults = append(faults, fmt.Errorf("max %d, reuse max %d: expected no negative number", c.Max, c.ReuseMax))
	}
	if c.Max == 0 {
		c.Max = runtime.GOMAXPROCS(0)
	}
	if c.ReuseMax == 0 {
		c.ReuseMax = defaultReuseMax
	}
	if c.Start == nil {
		faults = append(faults, errors.New("no host for the start phase"))
	}
	limits, err := c.Limits.withDefaults()
	return limits, errors.Join(append(faults, err)...)
}

// Call runs dash_run once, with h to answer the guest. inputLen is the length of h's input. It waits for
// an instance until ctx ends; waiting and the start phase do not count in the deadline.
//
// The error is nil when the guest ended the call itself, with whatever status. Otherwise it is ctx's
// error, ErrClosed, a *StartError, *LimitError, *TrapError, *ExitError, *ViolationError or *InternalError,
// the instance is retired, and what the guest gave to h does not count.
func (p *Pool) Call(ctx context.Context, h Host, inputLen int) (Result, error) {
	if inputLen < 0 || int64(inputLen) > p.limits.Input {
		return Result{Status: abi.Failed}, breach("input", p.limits.Input, int64(inputLen))
	}
	if err := p.enter(ctx); err != nil {
		return Result{Status: abi.Failed}, err
	}
	defer p.leave()
	p.calls.Add(1)
	res, err := p.serve(ctx, h, inputLen)
	if err != nil {
		p.failed.Add(1)
	}
	return res, err
}

func (p *Pool) serve(ctx context.Context, h Host, inputLen int) (Result, error) {
	in, err := p.take(ctx)
	if err != nil {
		return Result{Status: abi.Failed}, err
	}
	defer p.give(in)
	res, err := in.serve(ctx, h, inputLen)
	p.fuel.Add(res.Fuel)
	return res, err
}

// take gives an idle instance, the one used last, or starts one.
func (p *Pool) take(ctx context.Context) (*instance, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		in := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return in, nil
	}
	p.mu.Unlock()
	return p.start(ctx)
}

// give takes an instance back after a call, or retires it.
func (p *Pool) give(in *instance) {
	if !in.spent && p.cfg.Policy == PolicyReuse && in.calls < p.cfg.ReuseMax {
		p.mu.Lock()
		if !p.closed {
			p.idle = append(p.idle, in)
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
	in.retire()
}

// register notes an instance that is about to start. It reports false if the pool is closed.
func (p *Pool) register(in *instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.all[in] = struct{}{}
	p.started.Add(1)
	return true
}

func (p *Pool) unregister(in *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, in)
	p.retired.Add(1)
	p.free()
}

// free gives the compiled code back once the pool is closed and its last instance is gone. It is called
// with mu held.
func (p *Pool) free() {
	if p.closed && p.busy == 0 && len(p.all) == 0 && !p.freed {
		p.freed = true
		p.code.rt.forget(p)
		p.code.release()
	}
}

// Close refuses new calls and those that wait, and returns when the running ones have ended. When ctx ends
// first, they are cut off with ErrClosed and Close returns an error that says how many; they clean up
// after themselves. Closing twice is harmless.
func (p *Pool) Close(ctx context.Context) error {
	for _, in := range p.shut() {
		in.retire()
	}
	select {
	case <-p.drained:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for in := range p.all {
		in.fire(closing)
	}
	if p.busy == 0 {
		return nil
	}
	return fmt.Errorf("module %s: cut off %d running calls: %w", p.name, p.busy, ctx.Err())
}

// Stats gives a snapshot.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Max: p.cfg.Max, Idle: len(p.idle), Busy: p.busy, Waiting: len(p.queue),
		Calls: p.calls.Load(), Failed: p.failed.Load(), Started: p.started.Load(), Retired: p.retired.Load(),
		Fuel: p.fuel.Load(), StartFuel: p.startFuel.Load(),
	}
}

// wholePages is the largest memory that a limit allows.
func wholePages(limit int64) uint64 { return min(uint64(limit), math.MaxUint32+1) &^ (PageSize - 1) }
