package workflow

import "time"

// Start and End are the names that edges use for where a run begins and where a branch ends.
const (
	Start = "START"
	End   = "END"
)

// Pos is a place in a manifest.
type Pos struct {
	File      string
	Line, Col int // from 1; 0 = unknown
}

// Graph is a validated manifest. It is immutable and safe for concurrent use.
type Graph struct {
	Name     string
	File     string // as given to Load, for messages
	Dir      string // folder that paths in the manifest are relative to
	Input    Binding
	Output   Binding
	Channels []*Channel // in manifest order
	Modules  []*Module  // in manifest order
	Nodes    []*Node    // in manifest order
	Edges    []*Edge    // in manifest order
	// Interrupts, Secrets and other parts of later versions are parsed and validated; Unsupported names their use.
	Interrupts []*Interrupt
	Run        RunLimits
	Store      Store
	Stream     Stream
}

// Binding says how --input and stdout meet the channels. Channel "" = an object of channels.
type Binding struct {
	Channel string
	Text    bool   // as: text; else JSON
	Default string // file, relative to the manifest; input only
	Pos     Pos
}

// Reducer is how several writes of a superstep, and the value before it, become one value.
type Reducer string

const (
	ReduceValue  Reducer = "value"
	ReduceFirst  Reducer = "first"
	ReduceAppend Reducer = "append"
	ReduceUnion  Reducer = "union"
	ReduceMerge  Reducer = "merge"
	ReduceAdd    Reducer = "add"
	ReduceMax    Reducer = "max"
	ReduceMin    Reducer = "min"
)

// ChannelKind is the life of a channel's value.
type ChannelKind string

const (
	Plain     ChannelKind = "plain"
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
	Path    string // as written in the manifest
	File    string // resolved; "" when the bytes come from a store
	SHA256  string // hex; from the manifest, or computed at load
	Kind    string // node | wasi | extism
	Trusted bool
	Build   *Build
	Pos     Pos
}

// Build is how `dashhost build` makes a module.
type Build struct{ Lang, Dir string }

// Node is one vertex.
type Node struct {
	Name       string
	Index      int     // position in the manifest: the order of tasks
	Module     *Module // nil for a native node
	Native     string  // name of the Go function of an embedding program
	Reads      []string
	Writes     []string
	RawIn      string // raw: {in:, out:}; "" = JSON object
	RawOut     string
	Each       *Each
	Config     []byte // JSON, nil = none
	Limits     Limits // resolved with the manifest's defaults
	Retry      Retry
	OnError    string // node that gets the error as item; "" = the run fails
	Policy     string // fresh | reuse | reset; "" = default
	ReuseMax   int
	Defer      bool
	Interrupts bool
	Durable    bool   // durable: calls
	Grants     Grants
	Pos        Pos
}

// Each makes one task per element (or batch of elements) of a list channel.
type Each struct {
	Over  string
	Batch int // 0 = one element a task, item is the element; n > 0: item is an array of up to n
}

// Limits of one node; zero = the default of package guest.
type Limits struct {
	Module, Memory, Input, Output, Stack, Log int64 // bytes
	Table                                     int64 // elements
	Fuel, StartFuel                           uint64
	Deadline, StartDeadline                   time.Duration
	Places                                    map[string]Pos // field -> where it stands or would stand, for "raise it here"
}

// Retry of one node.
type Retry struct {
	Attempts int // total, >= 1
	Initial  time.Duration
	Factor   float64
	Max      time.Duration
	Jitter   float64 // 0..1
	On       []string // error codes; empty = the retryable ones
}

// Grants a node holds. Nil fields are not granted.
type Grants struct {
	Clock, Random, Checkpoint bool
	Args                      []string
	Env                       map[string]string
	KV                        *KVGrant
	HTTP                      *HTTPGrant
	Telemetry                 *TelemetryGrant
}

type KVGrant struct {
	Scope    string // thread | workflow | shared name
	MaxBytes int64
}
type HTTPGrant struct {
	Allow    []string
	Methods  []string
	MaxBytes int64
	Rate     string
}
type TelemetryGrant struct {
	Names []string
	Rate  string
}

// Edge leads from nodes to nodes. Exactly one of To, When, Route is set.
type Edge struct {
	From  []string // several: waits for all (join); may be START (alone)
	To    []string
	When  []Branch
	Route []string // the node itself chooses among these with route_to or route_send
	Pos   Pos
}

// Branch of a conditional edge: the first whose condition holds is taken. No branch holds: the step fails with code no_route; say {to: END}.
type Branch struct {
	If  *Condition // nil = else, last only
	To  []string
	Pos Pos
}

// Interrupt stops before or after nodes (release issue).
type Interrupt struct {
	Before, After []string
	If            *Condition
	Answer        string
	Pos           Pos
}

// RunLimits are the budgets of one run.
type RunLimits struct {
	MaxSteps   int   // default 1000
	MaxTasks   int   // tasks of one superstep, default 10000
	Parallel   int   // tasks at once, default GOMAXPROCS
	StateBytes int64 // default 1 GiB
	WallTime   time.Duration
	Fuel       uint64
	Places     map[string]Pos
}

// Store says where checkpoints go.
type Store struct {
	URL        string // "" = default
	Durability string // sync | exit | max_delay
	MaxDelay   time.Duration
	KeepLast   int
	KeepFor    time.Duration
	Pos        Pos
}

// Stream says where events go.
type Stream struct {
	URL      string
	Queue    int
	Overflow string
	BlockFor time.Duration
	Rate     string
	Burst    int
	Pos      Pos
}
