package workflow

import "time"

// Start and End are the names that edges use for where a run begins and where
// a branch ends. No node may be called so.
const (
	Start = "START"
	End   = "END"
)

// Graph is a validated manifest: every name in it resolves, every default is
// filled in. It is immutable and safe for concurrent use; its slices and
// pointers belong to it and must not be changed.
type Graph struct {
	Name       string // "workflow" when the manifest has none
	File       string // as given to Load, for messages
	Dir        string // folder that paths in the manifest are relative to
	Input      Binding
	Output     Binding
	Channels   []*Channel // in manifest order
	Modules    []*Module  // in manifest order
	Nodes      []*Node    // in manifest order
	Edges      []*Edge    // in manifest order
	Interrupts []*Interrupt
	Secrets    []*Secret
	Run        RunLimits
	Store      Store
	Stream     Stream

	index       index
	canonical   []byte
	unsupported []Fault
}

// index finds the parts of a graph by name.
type index struct {
	channels map[string]*Channel
	modules  map[string]*Module
	nodes    map[string]*Node
}

// Node returns the node of that name, nil if there is none.
func (g *Graph) Node(name string) *Node { return g.index.nodes[name] }

// Channel returns the channel of that name, nil if there is none.
func (g *Graph) Channel(name string) *Channel { return g.index.channels[name] }

// Module returns the module of that name, nil if there is none.
func (g *Graph) Module(name string) *Module { return g.index.modules[name] }

// Unsupported lists the uses of fields that are valid but belong to a later
// version, each with its place and the words "not in this version". Such a
// graph can be validated and drawn, not run.
func (g *Graph) Unsupported() []Fault { return g.unsupported }

// Binding says how --input and stdout meet the channels. Channel "" = an
// object with a member per channel.
type Binding struct {
	Channel string
	Text    bool   // as: text; else JSON
	Default string // file to read when there is no --input, relative to Dir; input only
	Pos     Pos
}

// Reducer is how several writes of a superstep, and the value before it,
// become one value.
type Reducer string

// The reducers.
const (
	ReduceValue  Reducer = "value"  // the last write; two writers in one superstep are an error
	ReduceFirst  Reducer = "first"  // the first write stays
	ReduceAppend Reducer = "append" // arrays, one after the other
	ReduceUnion  Reducer = "union"  // arrays, equal elements once
	ReduceMerge  Reducer = "merge"  // objects, top level, a later key wins
	ReduceAdd    Reducer = "add"    // numbers
	ReduceMax    Reducer = "max"    // numbers
	ReduceMin    Reducer = "min"    // numbers
)

// Zero is the JSON value that a condition sees in a channel that was never
// written: [] for append and union, {} for merge, 0 for add, else null.
func (r Reducer) Zero() string {
	switch r {
	case ReduceAppend, ReduceUnion:
		return "[]"
	case ReduceMerge:
		return "{}"
	case ReduceAdd:
		return "0"
	default:
		return "null"
	}
}

// ChannelKind is the life of a channel's value.
type ChannelKind string

// The kinds of channel.
const (
	Plain     ChannelKind = "plain"     // stays until it is written again
	Ephemeral ChannelKind = "ephemeral" // lives one step
	Barrier   ChannelKind = "barrier"   // set when all Writers wrote, then clears
)

// Channel is one named piece of state.
type Channel struct {
	Name    string
	Reduce  Reducer
	Kind    ChannelKind
	Writers []string // barrier only: the nodes it waits for
	Schema  *Schema  // nil = any JSON
	Pos     Pos
}

// Module is one wasm file.
type Module struct {
	Name    string
	Path    string // as written in the manifest; "" when only SHA256 is given
	File    string // Path resolved against Dir; "" when the bytes come from a store
	SHA256  string // hex; computed when the bytes were inspected, else from the manifest, else ""
	Kind    string // node | wasi | extism
	Trusted bool
	Bounds  Bounds
	Signers []string // public keys, one of which must have signed it; none = nobody must. Those of the manifest where the module has none
	// Signatures are lines of a signature file: as written in the manifest, else those beside the file.
	Signatures []string
	Build      *Build // nil = not said
	Pos        Pos
	// Obstacles say why an instance cannot be put back to what it was; known when the bytes were inspected.
	Obstacles []string
}

// Bounds are the static limits a module is held to before it is compiled, and
// what compiling may take where a process of its own does it; zero = the
// default of package guest.
type Bounds struct {
	Function    int64 // bytes of one function body
	Blocks      int64 // control blocks of one function
	BlockLocals int64 // control blocks x (locals + 1) of one function
	Nesting     int64 // control blocks open at once
	Targets     int64 // br_table targets of the module

	CompileTime   time.Duration
	CompileMemory int64 // bytes
}

// Build is how `dashhost build` makes a module. Dir is relative to the manifest.
type Build struct{ Lang, Dir string }

// Edge leads from nodes to nodes. Exactly one of To, When, Route is set.
type Edge struct {
	From  []string // several: waits for all (join); may be START (alone)
	To    []string // nodes, or END alone
	When  []Branch
	Route []string // the node itself chooses among these with route_to or route_send; may hold END
	Pos   Pos
}

// Branch of a conditional edge: the first whose condition holds is taken. If
// none holds the step fails; a last branch {to: END} says that this is fine.
type Branch struct {
	If  *Condition // nil = else, last only
	To  []string   // nodes, or END alone
	Pos Pos
}

// Interrupt stops a run before or after nodes until somebody answers. Of a
// later version.
type Interrupt struct {
	Before, After []string
	If            *Condition // nil = always
	Answer        string     // channel that the answer is written to; "" = none
	Pos           Pos
}

// Secret is a value that nodes may use and that never reaches state, events or
// records. Exactly one of Env and File is set. Of a later version.
type Secret struct {
	Name string
	Env  string // environment variable
	File string // relative to Dir
	Pos  Pos
}
