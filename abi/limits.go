package abi

import "time"

// Defaults of the limits, in the units of their names: bytes where nothing else is said.
const (
	DefaultModule        = 64 << 20
	DefaultMemory        = 256 << 20
	DefaultTable         = 100_000 // elements
	DefaultInput         = 64 << 20
	DefaultOutput        = 64 << 20
	DefaultArgument      = 16 << 20
	DefaultStack         = 1 << 20
	DefaultLog           = 1 << 20
	DefaultFuel          = 100_000_000_000 // units
	DefaultStartFuel     = 100_000_000_000 // units
	DefaultDeadline      = 30 * time.Second
	DefaultStartDeadline = 30 * time.Second
	DefaultEffects       = 10_000 // of one kind in a call
	DefaultSends         = 10_000 // route_send in a call
	DefaultKV            = 1 << 20
	DefaultHandles       = 16 // http handles open at once
	MaxFailure           = 64 << 10
	MaxRetry             = 365 * 24 * time.Hour
)

// Breach is what going over a limit does.
type Breach string

const (
	Refuses   Breach = "refused"   // the module is not loaded, or the call not begun
	EndsCall  Breach = "ends call" // the call ends with a typed error, the instance is retired
	TooBig    Breach = "too_large" // the host function returns -too_large
	TooMany   Breach = "limited"   // the host function returns -limited
	Traps     Breach = "trap"      // the instruction or access traps
	CutsLog   Breach = "cut"       // the rest is dropped and one line says so
	GrowFails Breach = "-1"        // memory.grow or table.grow returns -1
)

// Limit is one row of the table of limits.
type Limit struct {
	Name    string // as typed errors give it
	Field   string // in the manifest, below limits or grants; "" = fixed by the ABI
	Default int64
	Unit    string // "bytes", "elements", "units", "us" or "" for a count
	Gives   Breach
	Doc     string
}

// Limits gives the table of limits.
func Limits() []Limit {
	return []Limit{
		{"module", "limits.module", DefaultModule, "bytes", Refuses, "size of the wasm file"},
		{"memory", "limits.memory", DefaultMemory, "bytes", GrowFails, "linear memory of one instance; a minimum above it is refused at load"},
		{"table", "limits.table", DefaultTable, "elements", GrowFails, "elements of all tables of one instance; a minimum above it is refused at load"},
		{"input", "limits.input", DefaultInput, "bytes", Refuses, "input of one task"},
		{"output", "limits.output", DefaultOutput, "bytes", EndsCall, "output of one task"},
		{"sent", "limits.output", DefaultOutput, "bytes", TooBig, "inputs given to route_send in one call, together"},
		{"argument", "limits.arg", DefaultArgument, "bytes", TooBig, "one argument or result of a host function, but not the input and the output"},
		{"failure", "", MaxFailure, "bytes", TooBig, "argument of fail"},
		{"retry", "", int64(MaxRetry / time.Microsecond), "us", TooBig, "retry_us of fail"},
		{"stack", "limits.stack", DefaultStack, "bytes", EndsCall, "call stack"},
		{"fuel", "limits.fuel", DefaultFuel, "units", EndsCall, "work of one call"},
		{"start_fuel", "limits.start_fuel", DefaultStartFuel, "units", EndsCall, "work of the start phase"},
		{"deadline", "limits.deadline", int64(DefaultDeadline / time.Microsecond), "us", EndsCall, "time of one call"},
		{"start_deadline", "limits.start_deadline", int64(DefaultStartDeadline / time.Microsecond), "us", EndsCall, "time of the start phase"},
		{"log", "limits.log", DefaultLog, "bytes", CutsLog, "log messages and lines of one call, together"},
		{"effects", "limits.effects", DefaultEffects, "", TooMany, "effects of one kind in one call"},
		{"sends", "", DefaultSends, "", TooMany, "route_send in one call"},
		{"kv", "grants.kv.max_bytes", DefaultKV, "bytes", TooBig, "keys and values of one scope"},
		{"handles", "limits.handles", DefaultHandles, "", TooMany, "responses open at once"},
	}
}
