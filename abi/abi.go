// Package abi names what crosses the boundary between a guest and its host: the functions a guest may
// import, the exports it must have, error numbers, grants, phases and limits. It holds data and no
// behaviour, and imports the standard library only, so that guests, hosts and tools can share it.
//
// The normative text is spec/v1.md. [Functions] is the single source for everything that is counted or
// spelled: the text's headings, the host's implementations and the constants of every SDK are tested
// against it.
//
//	guest (wasm)                                   host (Go)
//	  import "dash_v1" "input_read" (buf,cap)->n     Functions()  -> what may be imported, with which types
//	  export "dash_run" (input_len)->status          Exports()    -> what must or may be exported
//	  n < 0                                          Errno(-n), text by last_error
//
// Everything here is constant: no function or value changes after the program has started, so all of it
// is safe for concurrent use. Slices and pointers handed out are shared and must not be written to.
package abi

const (
	// Version is the major version of the ABI. It is part of the import module's name.
	Version = 1
	// Module is the import module of the host's own functions.
	Module = "dash_v1"
	// WASIModule is the import module of the subset of WASI that toolchains need.
	WASIModule = "wasi_snapshot_preview1"
)

// MaxSize bounds every pointer, length, capacity and result, in bytes.
const MaxSize = 1<<31 - 1

// MaxDepth is how deeply JSON that crosses the boundary may nest.
const MaxDepth = 512

// Status is what dash_run returns. Any other value breaks the ABI.
type Status int32

const (
	Done        Status = 0 // the output stands
	Failed      Status = 1 // details through fail; without it the code is "failed"
	Interrupted Status = 2 // a question waits for its answer
	Reserved    Status = 3 // not to be returned in this version
)

// String gives the name of a known status, "status N" of another.
func (s Status) String() string {
	switch s {
	case Done:
		return "done"
	case Failed:
		return "failed"
	case Interrupted:
		return "interrupted"
	case Reserved:
		return "reserved"
	}
	return "status " + itoa(int64(s))
}

// Level is the level of a log message.
type Level int32

const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

// Clamp gives l, or LevelError for a number outside the table: a guest's mistake stays visible.
func (l Level) Clamp() Level {
	if l < LevelTrace || l > LevelError {
		return LevelError
	}
	return l
}

// MetricKind is the first parameter of metric.
type MetricKind int32

const (
	Counter MetricKind = iota
	Gauge
	Histogram
)

// Phase is a part of an instance's life. Phases form a set.
type Phase uint8

const (
	PhaseStart Phase = 1 << iota // start section, _initialize, dash_start
	PhaseRun                     // dash_run
)

// String names the phases of the set, joined by "|".
func (p Phase) String() string {
	switch p {
	case PhaseStart:
		return "start"
	case PhaseRun:
		return "run"
	case PhaseStart | PhaseRun:
		return "start|run"
	}
	return "phase " + itoa(int64(p))
}

// Grant is what a node's manifest must say before a function may be called.
type Grant string

const (
	GrantNone       Grant = "" // always allowed
	GrantTelemetry  Grant = "telemetry"
	GrantCheckpoint Grant = "checkpoint"
	GrantKV         Grant = "kv"
	GrantHTTP       Grant = "http"
	GrantClock      Grant = "clock"
	GrantRandom     Grant = "random"
	GrantInterrupts Grant = "interrupts"
)

// Effect is a kind of effect outside the guest. Effects of one kind are numbered from 0 in each attempt.
type Effect uint8

const (
	EffectNone Effect = iota
	EffectHTTP
	EffectCheckpoint
	EffectKV
	EffectEvent
	EffectStream
	EffectInterrupt

	// EffectCount is the number of kinds, EffectNone included.
	EffectCount
)

// String gives the name that goes into idempotency keys, "" for EffectNone.
func (e Effect) String() string {
	switch e {
	case EffectNone:
		return ""
	case EffectHTTP:
		return "http_fetch"
	case EffectCheckpoint:
		return "checkpoint_save"
	case EffectKV:
		return "kv"
	case EffectEvent:
		return "event_emit"
	case EffectStream:
		return "stream_write"
	case EffectInterrupt:
		return "interrupt"
	}
	return "effect " + itoa(int64(e))
}
