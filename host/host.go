package host

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/guest/signature"
	"github.com/dashhost/dashhost/streaming/driver"
)

// Options of a Host. Nil and the zero value are fine.
type Options struct {
	Logger   hclog.Logger // default silent
	CacheDir string       // where compiled modules are kept; "" = only in memory
	// Compile compiles modules in a process that can be stopped, see guest.Options.
	// Default in this one.
	Compile func(ctx context.Context, job *guest.CompileJob) error
	// Signers are public keys, one of which must have signed each wasm module,
	// beside those that a manifest names. Default nobody must.
	Signers []signature.PublicKey
	// Store is the URL of the store and overrides the manifest's. "" = the
	// manifest's, and "mem:" if that names none.
	Store string
	// OpenStore opens the store of a URL. The default opens "mem:" and gives a
	// *SchemeError for everything else; openurl.Store knows the other schemes.
	OpenStore func(ctx context.Context, url string) (*checkpoint.Store, error)
	// Stream is the URL that events go to and overrides the manifest's. "" = the
	// manifest's, and nowhere if that names none.
	Stream string
	// OpenStream opens the sink of a URL. Without it a stream is a *SchemeError;
	// openurl.Stream knows file:, kafka: and mem:.
	OpenStream func(ctx context.Context, url string) (driver.Sink, error)
	Clock      Clock // default the system's; also what the clock grant shows
	// Memory is how many bytes the instances of all modules may have together, each running one counted with its
	// limits.memory; a node for which there is no room waits. Default three quarters of what the machine, the control
	// group or GOMEMLIMIT gives the process.
	Memory int64
	// Random fills b with what the random grant gives nodes; it is called
	// concurrently. Default bytes that nobody can foresee.
	Random func(b []byte)
}

// Host holds what runs share: the wasm runtime and the open stores. It is safe
// for concurrent use. Close it when it is not needed any more.
type Host struct {
	opts  Options
	log   hclog.Logger
	guest *guest.Runtime

	mu     sync.Mutex
	stores map[string]*opened[*checkpoint.Store]
	runs   map[*Run]struct{}
	graphs map[*Graph]struct{}
	// outlets are by URL and settings of the stream.
	outlets map[string]*opened[*outlet]
	closed  bool

	closeOnce sync.Once
	closeErr  error
}

// New makes a Host. The error is one of the wasm runtime.
func New(o *Options) (*Host, error) {
	h := &Host{stores: map[string]*opened[*checkpoint.Store]{}, runs: map[*Run]struct{}{}, graphs: map[*Graph]struct{}{}, outlets: map[string]*opened[*outlet]{}}
	if o != nil {
		h.opts = *o
	}
	h.log = h.opts.Logger
	if h.log == nil {
		h.log = hclog.NewNullLogger()
	}
	if h.opts.OpenStore == nil {
		h.opts.OpenStore = h.openMemory
	}
	if h.opts.Clock == nil {
		h.opts.Clock = systemClock
	}
	var err error
	h.guest, err = guest.Open(context.Background(), &guest.Options{
		CacheDir: h.opts.CacheDir, Compile: h.opts.Compile, Signers: h.opts.Signers, Logger: h.log.Named("guest"),
		Memory: h.opts.Memory, Now: h.opts.Clock.Now,
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (h *Host) openMemory(_ context.Context, url string) (*checkpoint.Store, error) {
	if url != memoryURL {
		return nil, &SchemeError{URL: url}
	}
	return checkpoint.New(memstore.New(), &checkpoint.Options{Logger: h.log, Now: h.opts.Clock.Now}), nil
}

// usable checks that the host is open and made g, if there is one.
func (h *Host) usable(g *Graph) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return ErrClosed
	case g != nil && g.host != h:
		return ErrForeign
	case g != nil && g.draining:
		return drained(g)
	}
	return nil
}

const memoryURL = "mem:"

// Store returns the store named by Options.Store, opening it if need be. It
// belongs to the Host, which closes it.
func (h *Host) Store(ctx context.Context) (*checkpoint.Store, error) {
	return h.store(ctx, h.opts.Store)
}

func (h *Host) store(ctx context.Context, url string) (*checkpoint.Store, error) {
	if url == "" {
		url = memoryURL
	}
	open := func() (*checkpoint.Store, error) { return h.opts.OpenStore(ctx, url) }
	return openOnce(ctx, h, h.stores, url, open, (*checkpoint.Store).Close)
}

// Close cancels the runs that still go on, which can be resumed then, and
// closes graphs, stores and the wasm runtime. It waits for the runs until ctx
// ends. Another Close waits for the first and returns the same.
func (h *Host) Close(ctx context.Context) error {
	h.closeOnce.Do(func() { h.closeErr = h.close(ctx) })
	return h.closeErr
}

func (h *Host) close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	runs, graphs, stores, outlets := maps.Clone(h.runs), h.graphs, all(h.stores), all(h.outlets)
	h.graphs = nil
	h.mu.Unlock()

	var errs []error
	for r := range runs {
		r.Cancel()
	}
	for r := range runs {
		select {
		case <-r.done:
		case <-ctx.Done():
			errs = append(errs, ctx.Err())
		}
	}
	for g := range graphs {
		errs = append(errs, g.close(ctx))
	}
	errs = append(errs, closeOutlets(ctx, outlets))
	for _, s := range stores {
		errs = append(errs, s.Close())
	}
	errs = append(errs, h.guest.Close(ctx))
	return errors.Join(errs...)
}

// adopt keeps track of a run until it ends.
func (h *Host) adopt(r *Run) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	if r.uses.draining {
		return drained(r.uses)
	}
	h.runs[r] = struct{}{}
	r.uses.users++
	return nil
}

func (h *Host) forget(r *Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, adopted := h.runs[r]; !adopted {
		return
	}
	delete(h.runs, r)
	if r.uses.users--; r.uses.users == 0 && r.uses.draining {
		close(r.uses.unused)
	}
}

// compilers is how many modules are compiled at once.
func compilers() int { return max(1, runtime.GOMAXPROCS(0)) }

// Clock is where a Host takes the time of runs from; hosttest has one that
// tests move by hand.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}
