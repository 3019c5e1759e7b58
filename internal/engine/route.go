package engine

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
)

// due is an entry of the frontier with its private input.
type due struct {
	Pending
	node  *workflow.Node
	input []byte // of a sent task
}

// router decides what comes after a superstep. It sees the channels as they
// are after the step's writes.
type router struct {
	graph *workflow.Graph
	state *state

	next  []due
	ops   []checkpoint.Op            // on the hidden entries of joins
	joins map[string]map[string]bool // entry -> sources that have fired, nil while there are none
	fired map[string]bool            // nodes whose edges fired in this step
	sends map[string]int             // node -> number of sends so far, nil while there are none
}

func newRouter(g *workflow.Graph, s *state) *router {
	return &router{graph: g, state: s, fired: map[string]bool{}}
}

// fire follows the edges that leave node. A node fires once a step.
func (r *router) fire(node string) *Error {
	if r.fired[node] {
		return nil
	}
	r.fired[node] = true
	for _, e := range r.graph.Edges {
		if !slices.Contains(e.From, node) {
			continue
		}
		if len(e.From) > 1 {
			complete, err := r.join(e, node)
			if err != nil {
				return err
			}
			if !complete {
				continue
			}
		}
		if err := r.follow(e, node); err != nil {
			return err
		}
	}
	return nil
}

func (r *router) follow(e *workflow.Edge, node string) *Error {
	if len(e.When) == 0 {
		return r.trigger(e.To...)
	}
	for _, b := range e.When {
		if b.If != nil {
			yes, err := b.If.Eval(r.state.get)
			if err != nil {
				out := fail(CodeCondition, "edge from %s: condition %q: %v", node, b.If.Source, err)
				out.Node = node
				return out
			}
			if !yes {
				continue
			}
		}
		return r.trigger(b.To...)
	}
	out := fail(CodeNoRoute, "no branch of its conditional edge holds")
	out.Node, out.Hint = node, "add a last branch without `if`, with `to: END` if the run may end there"
	return out
}

// trigger puts nodes on the frontier, once each.
func (r *router) trigger(names ...string) *Error {
	for _, name := range names {
		if name == workflow.End {
			continue
		}
		n := r.graph.Node(name)
		if n == nil {
			return fail(CodeInternal, "edge to node %q, which the graph does not have", name)
		}
		triggered := slices.ContainsFunc(r.next, func(d due) bool { return d.node == n && d.Path == "" })
		if !triggered {
			r.next = append(r.next, due{Pending: Pending{Node: name, Defer: n.Defer}, node: n})
		}
	}
	return nil
}

// send puts one task with an input of its own on the frontier.
func (r *router) send(name string, input []byte, isError bool) *Error {
	n := r.graph.Node(name)
	if n == nil {
		return fail(CodeInternal, "task for node %q, which the graph does not have", name)
	}
	kind := "send/"
	if isError {
		kind = "error/"
	}
	path := kind + strconv.Itoa(r.sends[kind+name])
	if r.sends == nil {
		r.sends = map[string]int{}
	}
	r.sends[kind+name]++
	r.next = append(r.next, due{Pending: Pending{Node: name, Path: path, Defer: n.Defer, Error: isError}, node: n, input: input})
	return nil
}

// join notes that node fired for an edge that waits for several and reports
// whether all have.
func (r *router) join(e *workflow.Edge, node string) (bool, *Error) {
	entry := hidden + "join/" + strings.Join(e.From, ",") + "/" + joinTargets(e)
	got := r.joins[entry]
	if got == nil {
		got = make(map[string]bool)
		if raw := r.state.get(entry); raw != nil {
			var names []string
			if err := json.Unmarshal(raw, &names); err != nil {
				return false, fail(CodeInternal, "state entry %s: %v", entry, err)
			}
			for _, n := range names {
				got[n] = true
			}
		}
		if r.joins == nil {
			r.joins = map[string]map[string]bool{}
		}
		r.joins[entry] = got
	}
	got[node] = true
	for _, from := range e.From {
		if !got[from] {
			return false, nil
		}
	}
	clear(got)
	return true, nil
}

// joinTargets names a join beside its sources, so that two joins of the same
// sources stay apart and an edited manifest does not mix them up.
func joinTargets(e *workflow.Edge) string {
	to := slices.Clone(e.To)
	for _, b := range e.When {
		to = append(to, b.To...)
	}
	return strings.Join(to, ",")
}

// finish settles what is due: deferred nodes when nothing else is, the number
// of tasks of each, and the order.
func (r *router) finish() *Error {
	for {
		waiting := !slices.ContainsFunc(r.next, func(d due) bool { return !d.Defer })
		if waiting {
			for i := range r.next {
				r.next[i].Defer = false
			}
		}
		empty, err := r.countEach()
		if err != nil {
			return err
		}
		if len(empty) == 0 {
			break
		}
		for _, name := range empty { // no element, no task: as good as done
			if r.fired[name] {
				continue
			}
			if err := r.fire(name); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(r.next, func(a, b due) int {
		if a.node.Index != b.node.Index {
			return a.node.Index - b.node.Index
		}
		return kindOrder(a) - kindOrder(b)
	})
	for _, entry := range sortedKeys(r.joins) {
		r.saveJoin(entry)
	}
	return nil
}

// kindOrder puts what edges triggered before what was sent, and that before
// errors; a stable sort keeps the order inside a kind.
func kindOrder(d due) int {
	switch {
	case d.Path == "":
		return 0
	case !d.Error:
		return 1
	}
	return 2
}

// countEach notes how many tasks each due `each` node gets. Nodes over an empty
// list leave the frontier and are returned.
func (r *router) countEach() (empty []string, err *Error) {
	keep := r.next[:0]
	for _, d := range r.next {
		if d.node.Each == nil || d.Path != "" || d.Defer || d.Each != nil {
			keep = append(keep, d)
			continue
		}
		n, err := eachCount(r.state, d.node)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			empty = append(empty, d.Node)
			continue
		}
		d.Each = &n
		keep = append(keep, d)
	}
	clear(r.next[len(keep):])
	r.next = keep
	return empty, nil
}

// eachCount is how many tasks an each node has over the state as it is.
func eachCount(s *state, n *workflow.Node) (int, *Error) {
	elems, err := s.elements(n.Each.Over)
	if err != nil {
		out := fail(CodeReduce, "each over channel %s: %v", n.Each.Over, err)
		out.Node = n.Name
		return 0, out
	}
	batch := max(n.Each.Batch, 1)
	return (len(elems) + batch - 1) / batch, nil
}

func (r *router) saveJoin(entry string) {
	names := sortedKeys(r.joins[entry])
	switch {
	case len(names) > 0:
		r.ops = append(r.ops, checkpoint.Op{Kind: checkpoint.OpPut, Name: entry, Value: mustJSON(names)})
	case r.state.values[entry] != nil:
		r.ops = append(r.ops, checkpoint.Op{Kind: checkpoint.OpDel, Name: entry})
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
