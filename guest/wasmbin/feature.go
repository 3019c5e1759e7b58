package wasmbin

import (
	"math/bits"
	"strings"
)

// Feature is a set of features of WebAssembly, one bit each. Those up to Exceptions can be accepted and are what
// Module.Features reports; the others occur in a FeatureError only.
type Feature uint32

// What is accepted beside WebAssembly 1.0.
const (
	SignExtension      Feature = 1 << iota // i32.extend8_s and its kin
	SaturatingFloat                        // i32.trunc_sat_f32_s and its kin
	MultiValue                             // blocks with parameters, more than one result
	MutableGlobals                         // mutable globals imported or exported
	BulkMemory                             // memory.copy, memory.fill, passive segments
	ReferenceTypes                         // externref, table.get, several tables
	SIMD                                   // v128
	ExtendedConst                          // add, sub and mul in constant expressions
	Exceptions                             // try_table, throw, exnref, tags: only with Options.Exceptions
	LegacyExceptions                       // try, catch, rethrow, delegate
	Threads                                // shared memory, atomics
	TailCalls                              // return_call
	FunctionReferences                     // (ref $t), call_ref, tables with an initial value
	GC                                     // struct, array, i31, type recursion groups
	Memory64                               // 64-bit memories and tables
	MultiMemory                            // more than one memory
	CustomPageSizes                        // memories with pages that are not 64 KiB
	RelaxedSIMD                            // i8x16.relaxed_swizzle and its kin
	StackSwitching                         // continuation types, suspend, resume
	Components                             // the component model's binaries
)

// featureText has the name of each feature, in the order of the bits, and what the author of a module that is
// refused for it can do.
var featureText = [...]struct{ name, hint string }{
	{"sign-extension", ""},
	{"nontrapping-float-to-int", ""},
	{"multi-value", ""},
	{"mutable-globals", ""},
	{"bulk-memory", ""},
	{"reference-types", ""},
	{"simd", ""},
	{"extended-const", ""},
	{"exceptions", "exceptions are taken from trusted modules only: mark the module as trusted, or build without exceptions (-fno-exceptions)"},
	{"legacy-exceptions", "build with the standard exception instructions (-mllvm -wasm-use-legacy-eh=false) for a trusted module, or without exceptions"},
	{"threads", "build without threads, shared memory and atomics (no -pthread, no --shared-memory, no -matomics)"},
	{"tail-calls", "build without tail calls (-mno-tail-call)"},
	{"function-references", "build for WebAssembly 2.0, without typed function references"},
	{"gc", "build for WebAssembly 2.0 with linear memory: types of the garbage collection proposal are not taken"},
	{"memory64", "build for wasm32: 64-bit memories are not taken"},
	{"multi-memory", "build with one memory"},
	{"custom-page-sizes", "build with the standard page of 64 KiB"},
	{"relaxed-simd", "build without relaxed SIMD (-mno-relaxed-simd); the SIMD of WebAssembly 2.0 is taken"},
	{"stack-switching", "build without stack switching"},
	{"components", "this is a component, not a core module: extract the core module (wasm-tools component unbundle) or build for a core target such as wasm32-wasip1"},
}

// Names returns the name of each feature of the set, in a fixed order.
func (f Feature) Names() []string {
	var names []string
	for ; f != 0; f &= f - 1 {
		if i := bits.TrailingZeros32(uint32(f)); i < len(featureText) {
			names = append(names, featureText[i].name)
		}
	}
	return names
}

// String returns the names with a comma and a space between, or "none".
func (f Feature) String() string {
	if f == 0 {
		return "none"
	}
	return strings.Join(f.Names(), ", ")
}

// hint returns the advice for the first feature of the set.
func (f Feature) hint() string {
	if i := bits.TrailingZeros32(uint32(f)); i < len(featureText) {
		return featureText[i].hint
	}
	return ""
}
