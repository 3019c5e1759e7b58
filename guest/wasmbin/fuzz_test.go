package wasmbin_test

import (
	"testing"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// FuzzDecode gives Decode anything: see checkAny.
func FuzzDecode(f *testing.F) {
	f.Add(kitchen)
	f.Add(wasm(noType, oneFunc, code("\x00\x1f\x40\x01\x02\x00\x0b\x0b"), sec(0, "\x04name", "\x01\x05\x01\x00\x02ab")))
	f.Add(wasm("\x01\x05" + huge))
	for _, b := range corpus(f) {
		if len(b) < 2000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkAny(t, newEngine(t, features), b)
	})
}

// FuzzBody gives the instruction reader any body: it ends, within it, and writes what it has read.
func FuzzBody(f *testing.F) {
	m := mustDecode(f, kitchen)
	for i := range m.Functions {
		f.Add(m.Functions[i].Body)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		it := wasmbin.NewInstrReader(b)
		var in wasmbin.Instr
		end := 0
		var out []byte
		for it.Next(&in) {
			if in.Offset != end || in.Len <= 0 || in.Offset+in.Len > len(b) {
				t.Fatalf("%s at %d with %d bytes, after %d", in.Op, in.Offset, in.Len, end)
			}
			end += in.Len
			out = in.Append(out)
		}
		if it.Err() == nil && end != len(b) {
			t.Fatalf("ended at %d of %d without an error", end, len(b))
		}
		if len(out) > end {
			t.Fatalf("%d bytes became %d", end, len(out))
		}
		n := 0
		for again := wasmbin.NewInstrReader(out); again.Next(&in); {
			n += in.Len
		}
		if n != len(out) {
			t.Fatalf("what was written reads to %d of %d", n, len(out))
		}
	})
}
