package guest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/dashhost/dashhost/guest/signature"
)

// Options of Open. The zero value and nil are usable.
type Options struct {
	// CacheDir keeps compiled code for the next process. "" keeps none. A directory that cannot be used
	// (not a directory, of another user, writable by others) is logged, once something is compiled, and costs only
	// time; one that cannot be written is used for what it has.
	CacheDir string
	// CacheBytes is how large all entries of the cache may be together; what was used longest ago goes first.
	// Default 1 GiB.
	CacheBytes int64
	// Compile compiles modules that are not in the cache in a process that can be stopped, with limits of time and
	// memory, by calling CompileTo there. It returns when the code is there, with the job's TimeExceeded or
	// MemoryExceeded, or with what CompileTo returned; soon after ctx has ended with its error. One compilation runs at a
	// time. Default: none, modules are compiled in this process, which only the static bounds of ModuleOptions protect.
	// Without a directory for the cache the code passes through a private temporary one; if there is none either, modules
	// are compiled in this process, and that is logged.
	Compile func(ctx context.Context, job *CompileJob) error
	// Logger gets what no caller can be told: faults of hosts and of the cache. nil is silent.
	Logger hclog.Logger
	// Signers are public keys, one of which must have signed each module that is loaded; none = nobody must.
	Signers []signature.PublicKey
	// Interpreter runs guests without compiling them to machine code, as is done anyway where the machine
	// is not supported: some 50 times slower. Default false.
	Interpreter bool
	// Memory is how many bytes the memories of all instances may have together, each running one counted
	// with its limit. Calls for which there is no room wait; one may always run. 0 = three quarters of what
	// the machine has, or the control group of the process, or GOMEMLIMIT if that is less.
	Memory int64
	// Now is the clock for when a module that fails to start is tried again. Default time.Now.
	Now func() time.Time
}

// features is what the runtime is told to accept; package wasmbin has refused the rest before.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst

// Runtime is the one WebAssembly runtime that all modules of a process share. It is safe for concurrent
// use.
type Runtime struct {
	wz    wazero.Runtime
	cache *codeCache
	log   hclog.Logger

	signers []signature.PublicKey

	quota quota
	pages *pagemap // nil where the system does not tell which pages were written
	now   func() time.Time
	clock atomic.Uint64 // counts instances that begin to wait for a call

	compiles atomic.Int64 // compilations begun
	work     sync.WaitGroup

	mu     sync.Mutex
	codes  map[codeKey]*code
	pools  map[*Pool]struct{}
	closed bool
}

// Open starts a runtime. The caller closes it. It fails only when the runtime itself cannot be set up.
func Open(ctx context.Context, o *Options) (*Runtime, error) {
	if o == nil {
		o = &Options{}
	}
	log := o.Logger
	if log == nil {
		log = hclog.NewNullLogger()
	}
	cfg := wazero.NewRuntimeConfig()
	if o.Interpreter {
		cfg = wazero.NewRuntimeConfigInterpreter()
	}
	cache := openCache(o, log)
	cfg = cfg.WithCoreFeatures(features).WithCompilationCache(cache.wz)
	r := &Runtime{
		wz: wazero.NewRuntimeWithConfig(ctx, cfg), cache: cache, log: log, signers: slices.Clone(o.Signers),
		now: o.Now, codes: make(map[codeKey]*code), pools: make(map[*Pool]struct{}),
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.quota.max = o.Memory; o.Memory <= 0 {
		r.quota.max = machineMemory() / 4 * 3
	}
	var err error
	if r.pages, err = openPagemap(); err != nil {
		log.Debug("instances are put back by copying", "error", err)
	}
	if err := errors.Join(buildDash(ctx, r.wz), buildWASI(ctx, r.wz), buildMeter(ctx, r.wz)); err != nil {
		return nil, errors.Join(fmt.Errorf("host modules: %w", err), r.shut(ctx))
	}
	return r, nil
}

// Close closes all pools (see Pool.Close, which says what happens when ctx ends first) and then the
// runtime. When calls were cut off it returns an error and leaves the runtime to them; closing again
// finishes what is left. A compilation that is under way in this process is waited for, as it cannot be stopped; one
// that runs elsewhere (Options.Compile) is cancelled.
func (r *Runtime) Close(ctx context.Context) error {
	r.cache.end()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	var faults []error
	for _, p := range r.allPools() {
		faults = append(faults, p.Close(ctx))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	r.work.Wait()
	return r.shut(ctx)
}

func (r *Runtime) shut(ctx context.Context) error {
	err := errors.Join(r.wz.Close(ctx), r.cache.close(ctx), r.pages.close())
	r.pages = nil
	return err
}

func (r *Runtime) allPools() []*Pool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.pools))
}

// adopt notes a pool that must be closed before the runtime. It reports false if the runtime is closed.
func (r *Runtime) adopt(p *Pool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.pools[p] = struct{}{}
	return true
}

func (r *Runtime) forget(p *Pool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pools, p)
}
