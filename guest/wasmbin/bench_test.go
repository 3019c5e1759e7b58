package wasmbin_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// large returns a module the size and shape of a large guest written in Go: some thousand functions around one
// br_table in a loop, and 36,000 segments of data.
func large(tb testing.TB) []byte {
	m := &wasmbin.Module{
		Types:    []wasmbin.FuncType{{Params: []wasmbin.ValueType{wasmbin.I32}, Results: []wasmbin.ValueType{wasmbin.I32}}},
		Memories: []wasmbin.Limits{{Min: 64}},
		Globals: []wasmbin.Global{{
			GlobalType: wasmbin.GlobalType{Type: wasmbin.I64, Mutable: true}, Init: wasmbin.Expr("\x42\x00\x0b"),
		}},
	}
	const blocks = 20
	var body []byte
	for range blocks {
		body = append(body, 0x02, 0x40) // block
	}
	body = append(body, 0x03, 0x40, 0x20, 0x00, 0x0e, blocks) // loop, local.get 0, br_table
	for i := range blocks + 1 {
		body = append(body, byte(i))
	}
	body = append(body, 0x0b)
	for range blocks {
		for range 3 {
			// local 2 = load(global 0 + 64) + const; if call(local 0) { return 1 }
			body = append(body, "\x23\x00\xa7\x41\xc0\x00\x6a\x29\x03\x08\x42\x8f\xc0\x0e\x7c\x21\x02"...)
			body = append(body, "\x20\x00\x10\x00\x04\x40\x41\x01\x0f\x0b"...)
		}
		body = append(body, 0x0b)
	}
	body = append(body, "\x41\x00\x0b"...)
	locals := []wasmbin.LocalRun{{Count: 1, Type: wasmbin.I32}, {Count: 4, Type: wasmbin.I64}}
	for range 1350 {
		m.Functions = append(m.Functions, wasmbin.Function{Locals: locals, Body: body})
	}
	for i := range 36_000 {
		offset := append(wasmbin.AppendInt64([]byte{0x41}, int64(4096+100*i)), 0x0b)
		m.Data = append(m.Data, wasmbin.Data{Offset: offset, Bytes: bytes.Repeat([]byte{1, 2, 3}, 8)})
	}
	b := wasmbin.Encode(m)
	if err := check(b); err != nil {
		tb.Fatal(err)
	}
	return b
}

func check(b []byte) error {
	_, err := wasmbin.Decode(b, nil)
	return err
}

// BenchmarkLarge has, beside Decode and Encode, what reading the bytes once costs at least: a copy, and the digest
// that a loader takes anyway.
func BenchmarkLarge(b *testing.B) {
	input := large(b)
	m := mustDecode(b, input)
	b.Logf("%d bytes, %d functions, %d data segments", len(input), len(m.Functions), len(m.Data))
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"copy", func() { bytes.Clone(input) }},
		{"sha256", func() { sha256.Sum256(input) }},
		{"decode", func() {
			if err := check(input); err != nil {
				b.Fatal(err)
			}
		}},
		{"encode", func() { wasmbin.Encode(m) }},
		{"walk", func() {
			var in wasmbin.Instr
			for i := range m.Functions {
				for it := wasmbin.NewInstrReader(m.Functions[i].Body); it.Next(&in); {
				}
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				c.f()
			}
		})
	}
}
