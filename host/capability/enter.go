package capability

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host/workflow"
)

// functions is a set of functions of the ABI, one bit for each.
type functions uint64

// Adding a function past the width of the set does not compile.
const _ = functions(1) << (abi.FuncCount - 1)

func (f functions) has(id abi.FuncID) bool { return f>>id&1 != 0 }

// The two tables below are made from the ABI's own and never written to.
var (
	byGrant    = groupByGrant()
	startPhase = allowedAtStart()
)

// opening is a grant and the functions it opens.
type opening struct {
	grant abi.Grant
	opens functions
}

func groupByGrant() []opening {
	var all []opening
	for _, f := range abi.Functions() {
		i := slices.IndexFunc(all, func(o opening) bool { return o.grant == f.Grant })
		if i < 0 {
			i = len(all)
			all = append(all, opening{grant: f.Grant})
		}
		all[i].opens |= 1 << f.ID
	}
	return all
}

// allowedAtStart gives the functions any node may call before dash_run, whatever its grants are.
func allowedAtStart() functions {
	var all functions
	for _, f := range abi.Functions() {
		if f.Phases&abi.PhaseStart != 0 {
			all |= 1 << f.ID
		}
	}
	return all
}

// holds tells whether a node has a grant.
func holds(n *workflow.Node, g abi.Grant) bool {
	switch g {
	case abi.GrantNone:
		return true
	case abi.GrantTelemetry:
		return n.Grants.Telemetry != nil
	case abi.GrantCheckpoint:
		return n.Grants.Checkpoint
	case abi.GrantKV:
		return n.Grants.KV != nil
	case abi.GrantHTTP:
		return n.Grants.HTTP != nil
	case abi.GrantClock:
		return n.Grants.Clock
	case abi.GrantRandom:
		return n.Grants.Random
	case abi.GrantInterrupts:
		return n.Interrupts
	}
	return false
}

// granted gives the functions a node may call in dash_run. clock_now is among them always: without its
// grant it reads virtual time.
func granted(n *workflow.Node) functions {
	all := functions(1) << abi.FnClockNow
	for _, g := range byGrant {
		if holds(n, g.grant) {
			all |= g.opens
		}
	}
	return all
}

// Enter decides whether the node may call fn in this phase. Its errors are ErrClosed after the attempt
// has ended, abi.Denied for a function that is not allowed in the phase or not granted to the node, and
// abi.Limited when the node has used up its effects of fn's kind.
func (s *Set) Enter(fn abi.FuncID, phase abi.Phase) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if phase != s.phase || !s.allowed.has(fn) {
		return s.refuse(fn, phase)
	}
	f := abi.ByID(fn)
	if f.Effect == abi.EffectNone {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.room(f.Effect)
}

// refuse says why Enter does not let fn pass.
func (s *Set) refuse(fn abi.FuncID, phase abi.Phase) error {
	if fn >= abi.FuncCount {
		return abi.Errorf(abi.Invalid, "%v: not in the table of %s", fn, abi.Module)
	}
	f := abi.ByID(fn)
	if f.Phases&phase == 0 || phase != s.phase {
		return abi.Errorf(abi.Denied, "%s: not allowed in the %v phase, call it from %s", f.Name, phase, abi.ExportRun)
	}
	if f.Grant == abi.GrantInterrupts {
		return abi.Errorf(abi.Denied, "%s: node %q may not ask questions: set interrupts: true on it", f.Name, s.cfg.Node.Name)
	}
	return abi.Errorf(abi.Denied, "%s: node %q is not granted %s: add %s to its grants", f.Name, s.cfg.Node.Name, f.Grant, f.Grant)
}

// room tells whether one more effect of a kind may happen. The caller holds mu.
func (s *Set) room(e abi.Effect) error {
	if s.out.Ask != nil && e != abi.EffectInterrupt {
		return abi.Errorf(abi.Pending, "a question waits for its answer: no further effect, return 2 from %s", abi.ExportRun)
	}
	limit := s.cfg.Node.Limits.Effects
	if limit == 0 {
		limit = abi.DefaultEffects
	}
	if int64(s.effects[e]) >= limit {
		return abi.Errorf(abi.Limited, "limit effects: node %q has used all %d of kind %v in this call (raise limits.effects)",
			s.cfg.Node.Name, limit, e)
	}
	return nil
}

// Effect takes the next number of a kind for an effect that is about to happen, and gives its idempotency
// key: the one that the same effect has in every attempt of the task. It is called once the effect's
// arguments are known to be good. Its errors are ErrClosed and, when the node has used up its effects of
// the kind, abi.Limited.
func (s *Set) Effect(kind abi.Effect) (key string, err error) {
	if kind == abi.EffectNone || kind >= abi.EffectCount {
		return "", abi.Errorf(abi.Invalid, "effect: %d is not a kind", kind)
	}
	err = s.keep(func() error {
		if err := s.room(kind); err != nil {
			return err
		}
		key = IdempotencyKey(s.cfg.Task, kind, s.effects[kind])
		s.effects[kind]++
		return nil
	})
	return key, err
}

// IdempotencyKey gives the key of effect n, counted from 0, of a kind in a task: the first 16 bytes, as
// hex, of
//
//	SHA-256( task id as 32 hex digits | 0x00 | name of the kind | 0x00 | n in decimal )
//
// The layout is part of the ABI: services outside compare these keys over attempts, hosts and versions.
func IdempotencyKey(task TaskID, kind abi.Effect, n uint32) string {
	b := make([]byte, 0, 80)
	b = hex.AppendEncode(b, task[:])
	b = append(append(append(b, 0), kind.String()...), 0)
	b = strconv.AppendUint(b, uint64(n), 10)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
