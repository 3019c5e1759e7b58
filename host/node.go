package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host/capability"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/engine"
)

var _ guest.Host = (*capability.Set)(nil)

// node makes what the engine runs for a vertex.
func (g *Graph) node(n *workflow.Node) (engine.Node, error) {
	if n.Native != "" {
		return &nativeNode{vertex: g.vertex(n), run: g.natives[n.Native]}, nil
	}
	return g.wasmNode(n)
}

func (g *Graph) vertex(n *workflow.Node) vertex {
	return vertex{graph: g.graph, node: n, routes: routes(g.graph, n), host: g.host, out: g.out}
}

func (g *Graph) wasmNode(n *workflow.Node) (*wasmNode, error) {
	m := g.module(n.Module)
	pool, err := m.NewPool(guest.PoolConfig{
		Policy: guest.Policy(n.Policy), ConfigLen: len(n.Config), Limits: guestLimits(&n.Limits), ReuseMax: n.ReuseMax, Max: g.instances(n),
		Start: func() guest.Host { return capability.Start(n, m.Digest(), g.host.log) },
	})
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", n.Name, err)
	}
	g.pools = append(g.pools, nodePool{node: n.Name, Pool: pool})
	return &wasmNode{vertex: g.vertex(n), pool: pool}, nil
}

// instances is how many instances a node may have at a time; 0 leaves it to package guest.
func (g *Graph) instances(n *workflow.Node) int {
	if n.Instances > 0 {
		return n.Instances
	}
	return g.graph.Run.Parallel
}

// routes is what the graph lets a node choose.
func routes(g *workflow.Graph, n *workflow.Node) []string {
	var to []string
	for _, e := range g.Edges {
		if slices.Contains(e.From, n.Name) {
			to = append(to, e.Route...)
		}
	}
	return to
}

func guestLimits(l *workflow.Limits) guest.Limits {
	return guest.Limits{
		ModuleBytes: l.Module, Memory: l.Memory, Input: l.Input, Output: l.Output, HostArg: l.Arg, Stack: l.Stack, LogBytes: l.Log,
		Table: uint32(l.Table), Fuel: l.Fuel, StartFuel: l.StartFuel, Deadline: l.Deadline, StartDeadline: l.StartDeadline,
	}
}

// vertex is what native and wasm nodes have in common.
type vertex struct {
	host   *Host
	graph  *workflow.Graph
	node   *workflow.Node
	routes []string
	out    *outlet // nil: events go nowhere
}

// open makes the handle of an attempt.
func (v *vertex) open(ctx context.Context, t *engine.Task, deadline time.Duration) *capability.Set {
	var live capability.Live
	if v.out != nil && v.node.Grants.Telemetry != nil {
		live = &liveFeed{ctx: ctx, out: v.out, task: t}
	}
	return capability.New(&capability.Config{
		Live: live,
		Node: v.node, Task: capability.TaskID(t.ID), Input: t.Input, Routes: v.routes, StepTime: t.Time,
		Deadline: time.Now().Add(deadline), Logger: v.host.log, Asked: asked(t), Calls: t.Calls,
		Clock: v.host.opts.Clock, Random: v.host.opts.Random,
		Meta: capability.Meta{
			Workflow: v.graph.Name, Thread: t.Thread, Run: t.Branch, Attempt: t.Attempt, Superstep: uint64(t.Step), Deadline: deadline,
		},
	})
}

func asked(t *engine.Task) []capability.Asked {
	var out []capability.Asked
	for _, a := range t.Asked {
		out = append(out, capability.Asked(a))
	}
	return out
}

func (v *vertex) deadline() time.Duration {
	if d := v.node.Limits.Deadline; d > 0 {
		return d
	}
	return guest.DefaultLimits().Deadline
}

// outcome is what an attempt left behind, in the engine's terms.
func outcome(o *capability.Outcome) engine.Outcome {
	if o.Ask != nil {
		return engine.Outcome{Ask: &engine.Ask{Question: o.Ask.Question, Calls: o.Ask.Calls}}
	}
	out := engine.Outcome{Output: o.Output, Live: o.Live}
	for _, to := range o.Routes {
		out.Sends = append(out.Sends, engine.Send{Node: to})
	}
	for _, s := range o.Sends {
		out.Sends = append(out.Sends, engine.Send{Node: s.Node, Input: s.Item})
	}
	return out
}

// wasmNode runs a module.
type wasmNode struct {
	vertex
	pool *guest.Pool
}

// Run calls dash_run once.
func (n *wasmNode) Run(ctx context.Context, t *engine.Task) (engine.Outcome, error) {
	res, out, err := n.call(ctx, t)
	out.Fuel = res.Fuel
	return out, err
}

func (n *wasmNode) call(ctx context.Context, t *engine.Task) (guest.Result, engine.Outcome, error) {
	set := n.open(ctx, t, n.deadline())
	res, err := n.pool.Call(ctx, set, len(t.Input))
	o := set.Finish()
	switch {
	case o.Limit != nil:
		return res, engine.Outcome{}, &Error{Code: o.Limit.Limit, Message: o.Limit.Error()}
	case err != nil:
		return res, engine.Outcome{}, n.guestError(err)
	case o.Diverged != "":
		return res, engine.Outcome{}, &Error{Code: codeDiverged, Message: o.Diverged, Final: true}
	case res.Status == abi.Failed:
		o.Ask = nil
		return res, outcome(o), failure(o.Failure)
	}
	return res, outcome(o), nil // package guest has checked that 2 goes with a question, and 0 without
}

// Codes of what may go wrong with a guest. A limit's code is its name.
const (
	codeFailed      = "failed"
	codeTrap        = "trap"
	codeExited      = "exited"
	codeViolation   = "violation"
	codeStartFailed = "start_failed"
	codeDiverged    = "diverged" // the node does not repeat what it did before a question
)

// failure is what a guest said with fail before it returned 1.
func failure(f *capability.Failure) *Error {
	if f == nil {
		return &Error{Code: codeFailed, Message: "the node failed without saying why", Retryable: true}
	}
	return &Error{
		Code: f.Code, Message: f.Message, Details: f.Details, KeepOutput: f.KeepOutput,
		Retryable: !f.Final, Final: f.Final, RetryAfter: f.After,
	}
}

// guestError puts an error of package guest into the engine's terms, with the
// line of the manifest that would help.
func (v *vertex) guestError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err // of the run, not of the guest
	}
	e := &Error{Code: engine.CodeInternal, Message: err.Error()}
	var (
		limit     *guest.LimitError
		trap      *guest.TrapError
		exit      *guest.ExitError
		violation *guest.ViolationError
		start     *guest.StartError
	)
	switch {
	case errors.As(err, &limit):
		e.Code = limit.Limit
		e.Hint = v.raise(limit.Field)
	case errors.As(err, &trap):
		e.Code = codeTrap
		e.Hint = v.atMemoryLimit(trap)
	case errors.As(err, &exit):
		e.Code = codeExited
	case errors.As(err, &violation):
		e.Code = codeViolation
	case errors.As(err, &start):
		e.Code = codeStartFailed
	}
	if errors.As(err, &start) {
		e.Final = start.Err == nil // the guest itself refused its configuration
	}
	if early := (*guest.BackoffError)(nil); errors.As(err, &early) {
		e.RetryAfter = early.Until.Sub(v.host.opts.Clock.Now())
	}
	return e
}

// raise names the line of the manifest that sets a limit, given as
// "limits.memory" or "memory".
func (v *vertex) raise(field string) string {
	if field == "" {
		return ""
	}
	name := field[lastDot(field)+1:]
	if p, ok := v.node.Limits.Places[name]; ok {
		return fmt.Sprintf("raise %s of node %s at %s", name, v.node.Name, p)
	}
	return fmt.Sprintf("raise %s of node %s in %s", name, v.node.Name, v.graph.File)
}

func lastDot(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return i
		}
	}
	return -1
}

// atMemoryLimit tells a trap that follows a refused memory.grow, as most
// guests' own out-of-memory does, from others.
func (v *vertex) atMemoryLimit(t *guest.TrapError) string {
	if t.Hint == "" {
		return ""
	}
	return v.raise("memory")
}
