package capability

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host/workflow"
)

// StartTime is the instant at which virtual time begins in the start phase, in microseconds since 1970:
// the first of January 2000, before any step of any run, so that no guest sees its clock go back.
const StartTime = 946_684_800_000_000

// Set is the handle of one attempt of one task, or of the start phase of one instance.
type Set struct {
	cfg     Config
	phase   abi.Phase
	allowed functions // what Enter lets pass
	digest  string    // of the module, in the start phase
	log     journal

	ctx    context.Context // of the call, nil for a native node
	closed atomic.Bool     // set under mu, so that nothing is kept after Close has returned

	mu      sync.Mutex
	out     Outcome
	sent    int64 // bytes of out.Sends
	effects [abi.EffectCount]uint32
	virtual int64     // next reading of the virtual clock
	began   time.Time // first reading of the real clock
	stream  *rand.ChaCha8
	meta    []byte
	environ []string
	asked   int // answered questions that this attempt has asked again
	tape    tape
}

// New opens the handle of one attempt.
func New(c *Config) *Set {
	s := &Set{
		cfg:     *c,
		phase:   abi.PhaseRun,
		allowed: granted(c.Node),
		virtual: c.StepTime,
	}
	if s.cfg.Clock == nil {
		s.cfg.Clock = machine{}
	}
	if s.cfg.Random == nil {
		s.cfg.Random = unforeseeable
	}
	if s.taped() {
		s.tape = newTape(c.Calls)
	}
	s.log.open(c.Logger, c.Node, "task", &s.cfg.Task)
	return s
}

// Start opens the handle for the start phase of an instance: start section, _initialize and dash_start.
// Whatever the node's grants are, what is allowed is the same for every instance, and time and randomness
// depend on digest, the hex SHA-256 of the module, only.
func Start(n *workflow.Node, digest string, log hclog.Logger) *Set {
	s := &Set{
		cfg:     Config{Node: n, Logger: log},
		phase:   abi.PhaseStart,
		allowed: startPhase,
		digest:  digest,
		virtual: StartTime,
	}
	s.log.open(log, n, "phase", abi.PhaseStart)
	return s
}

// Begin says which context ends with the call: a long look at what the guest gives is then given up.
func (s *Set) Begin(ctx context.Context) { s.ctx = ctx }

// stop gives what long work asks whether to go on, nil for work that is not long.
func (s *Set) stop(size int) func() error {
	if s.ctx == nil || size < longWork {
		return nil
	}
	return s.ctx.Err
}

// longWork is from how many bytes on looking at them takes long.
const longWork = 1 << 20

// clone copies b, unless it is stopped.
func (s *Set) clone(b []byte) ([]byte, error) {
	stop := s.stop(len(b))
	if stop == nil {
		return append(make([]byte, 0, len(b)), b...), nil
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if err := stop(); err != nil {
			return nil, err
		}
		n := min(len(b), longWork)
		out, b = append(out, b[:n]...), b[n:]
	}
	return out, nil
}

// Close ends the attempt. When it has returned no method changes anything any more. It may be called at
// any time, from anywhere, and more than once.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed.Store(true)
	s.mu.Unlock()
}

// Finish logs the half lines that are left of standard output and error, ends the attempt as Close does
// and gives what the node produced. It is called after the node's code has returned.
func (s *Set) Finish() *Outcome {
	s.flush()
	s.Close()
	s.out.LogDropped = s.log.dropped.Load()
	return &s.out
}

// keep runs fn, which changes what the attempt has produced, unless the attempt has ended.
func (s *Set) keep(fn func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return ErrClosed
	}
	return fn()
}

// Input gives the task's input.
func (s *Set) Input() []byte { return s.cfg.Input }

// Config gives the node's configuration as JSON, nil if it has none.
func (s *Set) Config() []byte { return s.cfg.Node.Config }

// Meta gives the JSON object that identifies the task.
func (s *Set) Meta() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meta == nil {
		s.meta = s.cfg.Meta.appendJSON(nil, s.cfg.Task, s.cfg.Node.Name)
	}
	return s.meta
}

// Args gives the arguments that the node is granted.
func (s *Set) Args() []string { return s.cfg.Node.Grants.Args }

// Environ gives the environment that the node is granted, as sorted "name=value".
func (s *Set) Environ() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if env := s.cfg.Node.Grants.Env; s.environ == nil && len(env) > 0 {
		s.environ = make([]string, 0, len(env))
		for name, value := range env {
			s.environ = append(s.environ, name+"="+value)
		}
		slices.Sort(s.environ)
	}
	return s.environ
}
