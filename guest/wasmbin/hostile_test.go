package wasmbin_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// allocated returns how many bytes f takes.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// memoryFor is how much Decode may take for an input of n bytes. The fixed part is for the locals of one function,
// 50,000 of which take eight bytes of input.
func memoryFor(n int) int64 { return 256<<10 + 64*int64(n) }

const (
	huge    = "\xff\xff\xff\xff\x0f" // 4,294,967,295
	hundred = "\x80\xc2\xd7\x2f"     // 100,000,000
	noType  = "\x01\x04\x01\x60\x00\x00"
	oneFunc = "\x03\x02\x01\x00"
)

// code is a code section with one body.
func code(body string) string {
	return sec(10, "\x01", padded(uint32(len(body))), body)
}

// TestHugeCounts: a count claims more than the file can hold. Nothing is taken for it and the section is named.
func TestHugeCounts(t *testing.T) {
	for _, c := range []struct {
		name, section string
		b             []byte
	}{
		{"types", "type", wasm("\x01\x05" + huge)},
		{"params", "type", wasm("\x01\x07\x01\x60" + huge)},
		{"results", "type", wasm("\x01\x08\x01\x60\x00" + huge)},
		{"imports", "import", wasm("\x02\x05" + huge)},
		{"name", "import", wasm("\x02\x06\x01" + huge)},
		{"functions", "function", wasm(noType, "\x03\x05"+huge)},
		{"tables", "table", wasm("\x04\x05" + huge)},
		{"table minimum", "table", wasm("\x04\x08\x01\x70\x00" + huge)},
		{"memories", "memory", wasm("\x05\x05" + huge)},
		{"globals", "global", wasm("\x06\x05" + huge)},
		{"exports", "export", wasm("\x07\x05" + huge)},
		{"segments of elements", "element", wasm("\x09\x05" + huge)},
		{"items", "element", wasm("\x09\x08\x01\x01\x00" + huge)},
		{"items as expressions", "element", wasm("\x09\x08\x01\x05\x70" + huge)},
		{"data count", "data count", wasm("\x0c\x05" + huge)},
		{"bodies", "code", wasm(noType, oneFunc, "\x0a\x05"+huge)},
		{"body", "code", wasm(noType, oneFunc, "\x0a\x06\x01"+huge)},
		{"groups of locals", "code", wasm(noType, oneFunc, code(huge+"\x0b"))},
		{"locals", "code", wasm(noType, oneFunc, code("\x01"+hundred+"\x7f\x0b"))},
		{"locals that overflow", "code", wasm(noType, oneFunc, code("\x02"+huge+"\x7f"+huge+"\x7e\x0b"))},
		{"targets", "code", wasm(noType, oneFunc, code("\x00\x41\x00\x0e"+huge+"\x0b"))},
		{"clauses", "code", wasm(noType, oneFunc, code("\x00\x1f\x40"+huge+"\x0b"))},
		{"types of select", "code", wasm(noType, oneFunc, code("\x00\x1c"+huge+"\x0b"))},
		{"data segments", "data", wasm("\x0b\x05" + huge)},
		{"data", "data", wasm("\x0b\x07\x01\x01" + huge)},
		{"section", "type", wasm("\x01" + huge)},
		{"custom section", "custom", wasm("\x00" + huge)},
		{"custom name", "custom", wasm("\x00\x05" + huge)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			took := allocated(func() { _, err = wasmbin.Decode(c.b, &wasmbin.Options{Exceptions: true}) })
			var e *wasmbin.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, an *Error is wanted", err)
			}
			if e.Section != c.section || e.Offset < 8 || e.Offset > len(c.b) {
				t.Errorf("refused in section %q at %d: %v", e.Section, e.Offset, err)
			}
			if took > 16<<10 {
				t.Errorf("%d bytes were taken for %d bytes of input", took, len(c.b))
			}
		})
	}
}

// TestMemoryIsLinear: the most that can be had for a byte of input, thing by thing. What is counted here is within
// the bounds, so it is really built.
func TestMemoryIsLinear(t *testing.T) {
	many := func(n int, item string) string { return padded(uint32(n)) + strings.Repeat(item, n) }
	var names strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&names, "\x04%04d\x00\x00", i)
	}
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"types", wasm(sec(1, many(20_000, "\x60\x00\x00")))},
		{"imports", wasm(noType, sec(2, many(10_000, "\x00\x00\x00\x00")))},
		{"functions", wasm(noType, sec(3, many(190_000, "\x00")), sec(10, many(190_000, "\x02\x00\x0b")))},
		{"functions without bodies", wasm(noType, sec(3, many(200_000, "\x00")))},
		{"globals", wasm(sec(6, many(20_000, "\x7f\x00\x41\x00\x0b")))},
		{"exports", wasm(noType, oneFunc, sec(7, padded(10_000), names.String()), code("\x00\x0b"))},
		{"elements", wasm(sec(9, many(10_000, "\x01\x00\x00")))},
		{"items", wasm(noType, oneFunc, sec(9, "\x01\x01\x00", many(1_000_000, "\x00")), code("\x00\x0b"))},
		{"item expressions", wasm(sec(9, "\x01\x05\x70", many(300_000, "\xd0\x70\x0b")))},
		{"data", wasm(sec(11, many(100_000, "\x01\x00")))},
		{"locals", wasm(noType, oneFunc, code(many(300_000, "\x00\x7f")+"\x0b"))},
		{"padded locals", wasm(noType, oneFunc, code("\x00"+strings.Repeat("\x41\x80\x80\x00\x1a", 200_000)+"\x0b"))},
		{"blocks", wasm(noType, oneFunc, code("\x00"+strings.Repeat("\x02\x40", 999)+strings.Repeat("\x0b", 1000)))},
		{"constant expression", wasm(sec(6, "\x01\x7f\x00", strings.Repeat("\x41\x00", 100_000), strings.Repeat("\x6a", 99_999), "\x0b"))},
		{"names", wasm(noType, oneFunc, code("\x00\x0b"), sec(0, "\x04name", "\x01\x05\x01\x00\x02ab"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			took := allocated(func() { _, err = wasmbin.Decode(c.b, nil) })
			if err != nil && c.name != "functions without bodies" {
				t.Errorf("refused: %v", err)
			}
			if took > memoryFor(len(c.b)) {
				t.Errorf("%d bytes were taken for %d bytes of input, %d a byte", took, len(c.b), took/int64(len(c.b)))
			}
		})
	}
}

// TestNameAndAdvice: what is refused by name, with what to do.
func TestNameAndAdvice(t *testing.T) {
	feature := func(f wasmbin.Feature) func(error) bool {
		return func(err error) bool {
			var fe *wasmbin.FeatureError
			return errors.As(err, &fe) && fe.Feature == f
		}
	}
	malformed := func(err error) bool { return errors.Is(err, wasmbin.ErrMalformed) }
	body := func(b string) []byte { return wasm(noType, oneFunc, code("\x00"+b+"\x0b")) }
	for _, c := range []struct {
		name string
		b    []byte
		is   func(error) bool
		hint string
	}{
		{"empty", nil, malformed, "nothing was written"},
		{"one byte", []byte("\x00"), malformed, "cut off"},
		{"magic only", []byte("\x00asm"), malformed, "cut off"},
		{"other version", []byte("\x00asm\x02\x00\x00\x00"), malformed, ""},
		{"text", []byte("  (module (func))"), malformed, "wat2wasm"},
		{"text after a comment", []byte(";; hello\n(module)"), malformed, "wat2wasm"},
		{"script", []byte("#!/bin/sh\n"), malformed, "module that it starts"},
		{"source", []byte("package main\n"), malformed, ".wasm file"},
		{"elf", []byte("\x7fELF\x02\x01"), malformed, "WebAssembly target"},
		{"gzip", []byte("\x1f\x8b\x08\x00"), malformed, "unpack"},
		{"noise", []byte("\xfe\xff\x00\x01\x80"), malformed, ".wasm file"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), feature(wasmbin.Components), "core module"},
		{"shared memory", wasm("\x05\x04\x01\x03\x01\x02"), feature(wasmbin.Threads), "threads"},
		{"atomics", body("\xfe\x03\x00"), feature(wasmbin.Threads), "atomics"},
		{"tail call", body("\x12\x00"), feature(wasmbin.TailCalls), "tail calls"},
		{"indirect tail call", body("\x13\x00\x00"), feature(wasmbin.TailCalls), "tail calls"},
		{"call_ref", body("\x14\x00"), feature(wasmbin.FunctionReferences), "references"},
		{"typed reference", wasm("\x01\x06\x01\x60\x01\x64\x70\x00"), feature(wasmbin.FunctionReferences), "references"},
		{"table with a value", wasm("\x04\x08\x01\x40\x00\x70\x00\x00\xd0\x70\x0b"), feature(wasmbin.FunctionReferences), "references"},
		{"struct", wasm("\x01\x03\x01\x5f\x00"), feature(wasmbin.GC), "garbage"},
		{"recursion group", wasm("\x01\x06\x01\x4e\x01\x60\x00\x00"), feature(wasmbin.GC), "garbage"},
		{"struct.new", body("\xfb\x00\x00"), feature(wasmbin.GC), "garbage"},
		{"anyref", wasm("\x01\x05\x01\x60\x01\x6e\x00"), feature(wasmbin.GC), "garbage"},
		{"64-bit memory", wasm("\x05\x03\x01\x04\x01"), feature(wasmbin.Memory64), "wasm32"},
		{"two memories", wasm("\x05\x05\x02\x00\x01\x00\x01"), feature(wasmbin.MultiMemory), "one memory"},
		{"load from memory 1", wasm(noType, oneFunc, "\x05\x03\x01\x00\x01", code("\x00\x41\x00\x28\x42\x01\x00\x1a\x0b")), feature(wasmbin.MultiMemory), "one memory"},
		{"page size", wasm("\x05\x04\x01\x08\x01\x00"), feature(wasmbin.CustomPageSizes), "64 KiB"},
		{"relaxed simd", body("\xfd\x80\x02"), feature(wasmbin.RelaxedSIMD), "relaxed"},
		{"legacy try", body("\x06\x40\x0b"), feature(wasmbin.LegacyExceptions), "standard exception"},
		{"try_table", body("\x1f\x40\x00\x0b"), feature(wasmbin.Exceptions), "trusted"},
		{"throw", body("\x08\x00"), feature(wasmbin.Exceptions), "trusted"},
		{"tag section", wasm(noType, "\x0d\x03\x01\x00\x00"), feature(wasmbin.Exceptions), "trusted"},
		{"tag import", wasm(noType, "\x02\x06\x01\x00\x00\x04\x00\x00"), feature(wasmbin.Exceptions), "trusted"},
		{"exnref", wasm("\x01\x05\x01\x60\x01\x69\x00"), feature(wasmbin.Exceptions), "trusted"},
		{"suspend", body("\xe2\x00"), feature(wasmbin.StackSwitching), "stack switching"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wasmbin.Decode(c.b, nil)
			var e *wasmbin.Error
			if !errors.As(err, &e) || !c.is(err) {
				t.Fatalf("refused with %v", err)
			}
			if !strings.Contains(e.Hint, c.hint) || e.Text == "" || e.Section == "" {
				t.Errorf("advice %q does not speak of %q: %v", e.Hint, c.hint, err)
			}
			if strings.Contains(err.Error(), "%!") {
				t.Errorf("message is badly formed: %v", err)
			}
		})
	}
}

// TestStructure: faults that the specification's suites do not have, or that an engine might overlook.
func TestStructure(t *testing.T) {
	body := func(b string) []byte { return wasm(noType, oneFunc, code("\x00"+b)) }
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"global.set without globals", body("\x41\x00\x24\x00\x0b")},
		{"dead global.set without globals", body("\x00\x24\x00\x0b")},
		{"dead local", body("\x00\x20\x00\x0b")},
		{"dead call", body("\x00\x10\x01\x0b")},
		{"dead label", body("\x00\x0c\x01\x0b")},
		{"dead load without memory", body("\x00\x28\x02\x00\x0b")},
		{"memory.size without memory", body("\x3f\x00\x1a\x0b")},
		{"data.drop without data count", wasm(noType, oneFunc, code("\x00\xfc\x09\x00\x0b"), "\x0b\x03\x01\x01\x00")},
		{"else in a block", body("\x02\x40\x05\x0b\x0b")},
		{"second else", body("\x41\x00\x04\x40\x05\x05\x0b\x0b")},
		{"bytes after the end", body("\x0b\x01")},
		{"no end", body("\x01")},
		{"open block", body("\x02\x40\x0b")},
		{"end only", wasm(noType, oneFunc, sec(10, "\x01\x01\x00"))},
		{"body longer than the section", wasm(noType, oneFunc, "\x0a\x04\x01\x09\x00\x0b")},
		{"code without functions", wasm(noType, code("\x00\x0b"))},
		{"functions without code", wasm(noType, oneFunc)},
		{"data count without data", wasm("\x0c\x01\x01")},
		{"second type section", wasm(noType, noType)},
		{"tag section after globals", wasm(noType, "\x06\x01\x00", "\x0d\x01\x00")},
		{"data count after code", wasm("\x0a\x01\x00", "\x0c\x01\x00")},
		{"unknown section", wasm("\x0e\x00")},
		{"bytes at a section's end", wasm("\x01\x05\x01\x60\x00\x00\x00")},
		{"a section at a section's end", wasm("\x01\x07\x01\x60\x00\x00\x00\x01\x00")},
		{"export twice", wasm(noType, oneFunc, "\x07\x09\x02\x01a\x00\x00\x01a\x00\x00", code("\x00\x0b"))},
		{"export of nothing", wasm("\x07\x05\x01\x01a\x03\x00")},
		{"start that does not exist", wasm("\x08\x01\x00")},
		{"start with a result", wasm("\x01\x05\x01\x60\x00\x01\x7f", oneFunc, "\x08\x01\x00", code("\x00\x41\x00\x0b"))},
		{"undeclared ref.func", body("\xd2\x00\x1a\x0b")},
		{"global from a later global", wasm("\x06\x0b\x02\x7f\x00\x23\x01\x0b\x7f\x00\x41\x00\x0b")},
		{"global from an own global", wasm("\x06\x0b\x02\x7f\x00\x41\x00\x0b\x7f\x00\x23\x00\x0b")},
		{"i64 offset", wasm("\x05\x03\x01\x00\x01", "\x0b\x06\x01\x00\x42\x00\x0b\x00")},
		{"two values in an expression", wasm("\x06\x08\x01\x7f\x00\x41\x00\x41\x00\x0b")},
		{"no value in an expression", wasm("\x06\x04\x01\x7f\x00\x0b")},
		{"add with one value", wasm("\x06\x07\x01\x7f\x00\x41\x00\x6a\x0b")},
		{"nop in an expression", wasm("\x06\x07\x01\x7f\x00\x01\x41\x00\x0b")},
		{"data without memory", wasm("\x0b\x06\x01\x00\x41\x00\x0b\x00")},
		{"externs for a table of functions", wasm("\x04\x04\x01\x70\x00\x01", "\x09\x08\x01\x06\x00\x41\x00\x0b\x6f\x00")},
		{"maximum under the minimum", wasm("\x05\x04\x01\x01\x02\x01")},
		{"65537 pages", wasm("\x05\x05\x01\x00\x81\x80\x04")},
		{"block of a bad type", body("\x02\x7a\x0b\x0b")},
		{"block of a long bad type", body("\x02\xff\x7f\x0b\x0b")},
		{"block of a type that does not exist", body("\x02\x01\x0b\x0b")},
		{"alignment over natural", wasm(noType, oneFunc, "\x05\x03\x01\x00\x01", code("\x00\x41\x00\x28\x03\x00\x1a\x0b"))},
		{"lane 16 of 16", body("\x00\xfd\x15\x10\x0b")},
		{"shuffle lane 32", body("\x00\xfd\x0d" + strings.Repeat("\x20", 16) + "\x0b")},
		{"unknown simd", body("\x00\xfd\x9a\x01\x0b")},
		{"unknown misc", body("\x00\xfc\x12\x0b")},
		{"u32 of six bytes", wasm("\x01\x86\x80\x80\x80\x80\x00")},
		{"u32 over 32 bits", wasm("\x01\x80\x80\x80\x80\x10")},
		{"i32 over 32 bits", body("\x41\xff\xff\xff\xff\x0f\x1a\x0b")},
		{"i64 of eleven bytes", body("\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00\x1a\x0b")},
		{"name that is not UTF-8", wasm("\x07\x07\x01\x03\xed\xa0\x80\x00\x00")},
		{"mutability 4", wasm("\x06\x06\x01\x7f\x04\x41\x00\x0b")},
		{"flags of limits", wasm("\x05\x03\x01\x10\x01")},
		{"flags of a data segment", wasm("\x05\x03\x01\x00\x01", "\x0b\x06\x01\x03\x41\x00\x0b\x00")},
		{"flags of an element segment", wasm("\x09\x03\x01\x08\x00")},
		{"mutable global in an expression", wasm("\x02\x06\x01\x00\x00\x03\x7f\x01", "\x06\x06\x01\x7f\x00\x23\x00\x0b")},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wasmbin.Decode(c.b, &wasmbin.Options{Exceptions: true})
			if !errors.Is(err, wasmbin.ErrMalformed) && !errors.Is(err, wasmbin.ErrInvalid) {
				t.Errorf("refused with %v, as malformed or invalid is wanted", err)
			}
		})
	}
}

// TestForgedReference: a select that says it gives a reference and is handed numbers. The engine's validator looks
// at the operands and not at the type that is said, so such a module must not reach it.
func TestForgedReference(t *testing.T) {
	body := "\x00\x42\x01\x42\x02\x41\x00\x1c\x01\x70\x0b" // (select (result funcref) (i64.const 1) (i64.const 2) (i32.const 0))
	for _, result := range []string{"\x7e", "\x70"} {
		b := wasm("\x01\x05\x01\x60\x00\x01"+result, oneFunc, code(body))
		if _, err := wasmbin.Decode(b, nil); !errors.Is(err, wasmbin.ErrInvalid) {
			t.Errorf("select of i64 as funcref, result %x: %v", result, err)
		}
	}
}
