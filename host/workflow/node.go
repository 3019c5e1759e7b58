package workflow

import "time"

// Node is one vertex. Exactly one of Module, Native, Workflow and Wait is set.
type Node struct {
	Name          string
	Index         int      // position in the manifest: the order of tasks
	Module        *Module  // wasm
	Native        string   // name of the Go function of an embedding program
	Workflow      string   // path of another manifest, relative to Dir; of a later version
	Wait          *Wait    // of a later version
	Reads         []string // channels
	Writes        []string // channels
	RawIn         string   // channel passed in as plain bytes; "" = an object of Reads
	RawOut        string   // channel that plain output goes to; "" = an object of Writes
	Each          *Each    // nil = one task
	Config        []byte   // JSON, keys sorted, no spaces; nil = none
	Limits        Limits   // resolved with the manifest's defaults
	Retry         Retry
	OnError       string // node that gets the error as item; "" = the run fails
	Policy        string // reset | fresh | reuse; "" = reset. A module with Obstacles is fresh instead of reset
	Instances     int    // at a time; 0 = as many as tasks run at once
	ReuseMax      int    // calls of one instance under reuse; 0 = no bound
	Defer         bool   // runs when nothing else is due
	Interrupts    bool   // may ask a question; of a later version
	Durable       bool   // durable: calls; of a later version
	Cache         *Cache // nil = not cached; of a later version
	StrictImports bool   // an import whose grant is missing is an error
	Grants        Grants
	Pos           Pos
}

// Each makes one task per element, or batch of elements, of a list channel.
type Each struct {
	Over  string
	Batch int // 0 = one element a task, item is the element; n > 0: item is an array of up to n
	Pos   Pos
}

// Wait is a node that does nothing until its time has come. Exactly one field
// is set.
type Wait struct {
	For   time.Duration // from when the node is due
	Until string        // channel that holds the time, UTC, as RFC 3339 text or microseconds since 1970
}

// Cache keeps a node's output for the same module, config and input.
type Cache struct {
	TTL time.Duration // 0 = no end
}

// Limits of one node; zero = the default of package guest. A use above one is
// an error that names Places of it.
type Limits struct {
	Module, Memory, Input, Output, Arg, Stack, Log int64 // bytes; Arg: one argument or result of a host call
	Table                                          int64 // elements
	Effects                                        int64 // outside effects of one call
	Handles                                        int64 // http responses open at once
	Fuel, StartFuel                                uint64
	Deadline, StartDeadline                        time.Duration
	Places                                         map[string]Pos // by field ("memory"): where it stands or, when it is not written, the node
}

// Retry of one node. The zero value of a node without `retry` has Attempts 1.
type Retry struct {
	Attempts int           // total, >= 1
	Initial  time.Duration // wait after the first failure
	Factor   float64       // each wait is so many times the one before, >= 1
	Max      time.Duration // longest wait
	Jitter   float64       // 0..1: share of a wait that is random
	On       []string      // error codes; empty = the retryable ones
}

// Grants a node holds. Nil and false are not granted.
type Grants struct {
	Clock, Random bool
	Checkpoint    bool              // of a later version, like KV, HTTP and Telemetry
	Args          []string          // WASI arguments
	Env           map[string]string // WASI environment
	KV            *KVGrant
	HTTP          *HTTPGrant
	Telemetry     *TelemetryGrant
}

// KVGrant is the right to keep values by key.
type KVGrant struct {
	Scope    string // thread | workflow | shared:NAME
	MaxBytes int64  // of all keys and values of the scope
}

// HTTPGrant is the right to fetch.
type HTTPGrant struct {
	Allow    []string // URLs; a host may start with "*.", a path may end in "*"
	Methods  []string
	MaxBytes int64  // of one response body
	Rate     string // "5/s"; "" = no bound
}

// TelemetryGrant is the right to emit events, stream labels and metrics.
type TelemetryGrant struct {
	Names []string // types, labels and metric names; may end in "*"
	Rate  string   // "100/s"; "" = no bound
}
