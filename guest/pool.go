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
	// PolicyReset puts the instance back to what it was after its start phase: the next call cannot tell it
	// from a new one. It is the default. A module that cannot be put back gets PolicyFresh instead;
	// Info.Obstacles and Stats.Fallback say why.
	PolicyReset Policy = "reset"
	// PolicyFresh gives every call a new instance.
	PolicyFresh Policy = "fresh"
	// PolicyReuse hands the instance with all it remembers to the next call: for kept-alive interpreters
	// and for guests that are trusted not to mix up their calls.
	PolicyReuse Policy = "reuse"
)

// PoolConfig describes the instances of one node.
type PoolConfig struct {
	Policy    Policy // "" = PolicyReset
	ConfigLen int    // parameter of dash_start, length of the node's configuration
	Limits    Limits // zero fields = DefaultLimits
	Max       int    // instances at a time; 0 = GOMAXPROCS
	ReuseMax  int    // calls that one instance serves under PolicyReuse; 0 = 10,000
	// Start makes the host of one instance's start phase; required, called concurrently. All these hosts
	// must answer alike: under PolicyReset what the first instance made of the answers serves the others too.
	Start func() Host
}

const defaultReuseMax = 10_000

// Result is how a call ended that the guest ended itself.
type Result struct {
	Status     abi.Status    // abi.Done, abi.Failed or abi.Interrupted
	Fuel       uint64        // units that were charged, see package meter; a call that traps may have done up to 100,000 more or less
	Memory     int64         // size of the instance's memory at the end, bytes
	LogDropped int64         // bytes of log and standard output over limit log
	Duration   time.Duration // of dash_run
}

// Pool runs the calls of one node on a bounded number of instances. It belongs to one module with one
// configuration and one set of grants, so that nothing of them is ever mixed. Calls wait in the order in which
// they came. A Pool is safe for concurrent use.
type Pool struct {
	rt       *Runtime
	code     *code
	name     string
	cfg      PoolConfig
	limits   Limits
	declared uint64   // maximum that the module declares for its memory, bytes
	fallback []string // why PolicyReset became PolicyFresh

	backoff backoff
	image   atomic.Pointer[image] // PolicyReset: what instances are put back to, nil until one has started
	first   chan struct{}         // holds a value while the first one starts

	calls, failed, resets, written atomic.Uint64
	fuel, startFuel                atomic.Uint64

	mu       sync.Mutex
	live     int                    // instances that exist or are being started
	clean    []*instance            // ready for a call, newest last
	dirty    []*instance            // to be put back
	spent    []*instance            // to be closed
	cleaning int                    // being put back in the background
	closing  int                    // being closed in the background
	cleaner  bool                   // a goroutine is at it
	queue    []*waiter              // calls that wait, in order
	all      map[*instance]struct{} // every instance that is not retired
	closed   bool
	drained  chan struct{} // closed when the pool is closed and has no instance left

	started, cloned, retired, waits uint64
	waited                          time.Duration
	reasons                         map[Reason]uint64
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
		rt: m.rt, code: code, name: m.name, cfg: c, limits: limits, declared: uint64(m.info.Memory.MaxPages) * PageSize,
		first: make(chan struct{}, 1), all: make(map[*instance]struct{}), drained: make(chan struct{}),
		reasons: make(map[Reason]uint64),
	}
	if c.Policy == PolicyReset && len(code.meter.Obstacles) > 0 {
		p.cfg.Policy, p.fallback = PolicyFresh, code.meter.Obstacles
	}
	if !m.rt.adopt(p) {
		code.release()
		return nil, ErrClosed
	}
	return p, nil
}

// full is what an instance counts with while it runs, bytes.
func (p *Pool) full() int64 { return int64(min(wholePages(p.limits.Memory), p.declared)) }

// check fills in the defaults and reports all faults at once.
func (c *PoolConfig) check() (Limits, error) {
	var faults []error
	switch c.Policy {
	case "":
		c.Policy = PolicyReset
	case PolicyReset, PolicyFresh, PolicyReuse:
	default:
		faults = append(faults, fmt.Errorf("policy %q is unknown, expected %s, %s or %s", c.Policy, PolicyReset, PolicyFresh, PolicyReuse))
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
// error, ErrClosed, a *StartError, *BackoffError, *LimitError, *TrapError, *ExitError, *ViolationError or
// *InternalError, the instance is retired, and what the guest gave to h does not count.
func (p *Pool) Call(ctx context.Context, h Host, inputLen int) (Result, error) {
	if inputLen < 0 || int64(inputLen) > p.limits.Input {
		return Result{Status: abi.Failed}, breach("input", p.limits.Input, int64(inputLen))
	}
	in, err := p.acquire(ctx)
	if err != nil {
		return Result{Status: abi.Failed}, err
	}
	defer p.release(in)
	p.calls.Add(1)
	res, err := in.serve(ctx, h, inputLen)
	p.fuel.Add(res.Fuel)
	if err != nil {
		p.failed.Add(1)
	}
	return res, err
}

// reset puts a dirty instance back. One that cannot be put back is spent.
func (p *Pool) reset(in *instance) {
	n, err := in.restore(p.image.Load(), p.rt.pages)
	if err != nil {
		p.rt.log.Warn("instance is not put back", "module", p.name, "error", err)
		in.condemn(RetiredReset)
		return
	}
	in.dirty = false
	p.resets.Add(1)
	p.written.Add(uint64(n))
}

// register notes an instance that is about to start. It reports false if the pool is closed.
func (p *Pool) register(in *instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.all[in] = struct{}{}
	p.started++
	return true
}

// strike counts a spent instance as gone, once. It is called with mu held.
func (p *Pool) strike(in *instance) {
	if _, there := p.all[in]; there {
		delete(p.all, in)
		p.retired++
		p.reasons[in.reason]++
	}
}

// free gives back what the instances shared. It is called with mu held, once, when the last one is gone.
func (p *Pool) free() {
	if img := p.image.Load(); img != nil {
		p.rt.quota.image(-img.bytes())
		img.free()
	}
	p.rt.forget(p)
	p.code.release()
}

// Close refuses new calls and those that wait, and returns when the running ones have ended. When ctx ends
// first, they are cut off with ErrClosed and Close returns an error that says how many; they clean up
// after themselves. Closing twice is harmless.
func (p *Pool) Close(ctx context.Context) error {
	p.shut()
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
	if p.live == 0 {
		return nil
	}
	return fmt.Errorf("module %s: cut off %d running calls: %w", p.name, p.live, ctx.Err())
}

// wholePages is the largest memory that a limit allows.
func wholePages(limit int64) uint64 { return min(uint64(limit), math.MaxUint32+1) &^ (PageSize - 1) }
