package meter_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// module decodes a module of sections.
func module(t *testing.T, sections ...[]byte) *wasmbin.Module {
	t.Helper()
	b := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		b = append(append(b, s[0], byte(len(s)-1)), s[1:]...)
	}
	m, err := wasmbin.Decode(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestState: the mutable globals of number types are exported, each with its own index; all else that an
// instance remembers beside its memory is named.
func TestState(t *testing.T) {
	m := module(t,
		[]byte{1, 1, 0x60, 0, 0},
		[]byte{3, 1, 0},
		[]byte{4, 1, 0x70, 0, 1},
		append([]byte{6, 6,
			0x7f, 0, 0x41, 0, 0x0b, // i32, constant
			0x7f, 1, 0x41, 0, 0x0b,
			0x7e, 1, 0x42, 0, 0x0b,
			0x70, 1, 0xd0, 0x70, 0x0b,
			0x7c, 1, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b,
			0x7b, 1, 0xfd, 0x0c}, append(make([]byte, 16), 0x0b)...),
		[]byte{7, 1, 1, 'f', 0, 0},
		[]byte{10, 1, 14, 0, 0x41, 0, 0xd0, 0x70, 0x26, 0, 0x41, 0, 0xd0, 0x70, 0x26, 0, 0x0b},
	)
	r, err := meter.Rewrite(m)
	if err != nil {
		t.Fatal(err)
	}
	prefix := meter.ExportPrefix + "global/"
	if want := []meter.Global{{prefix + "1", wasmbin.I32}, {prefix + "2", wasmbin.I64}, {prefix + "4", wasmbin.F64}}; !slices.Equal(r.Globals, want) {
		t.Errorf("globals %v, want %v", r.Globals, want)
	}
	for _, g := range r.Globals {
		e := m.Export(g.Export)
		if e == nil || e.Kind != wasmbin.KindGlobal || prefix+string(rune('0'+e.Index)) != g.Export || m.GlobalType(e.Index).Type != g.Type {
			t.Errorf("%v is exported as %v", g, e)
		}
	}
	want := []string{"table.set in function 0", "funcref global 3 is mutable", "v128 global 5 is mutable"}
	slices.Sort(r.Obstacles)
	slices.Sort(want)
	if !slices.Equal(r.Obstacles, want) {
		t.Errorf("obstacles %q, want %q", r.Obstacles, want)
	}
}

// TestReserved: a guest has neither the import nor the exports that are the host's.
func TestReserved(t *testing.T) {
	types := []byte{1, 1, 0x60, 1, 0x7f, 1, 0x7f}
	imports := append([]byte{2, 1, byte(len(meter.ImportModule))}, meter.ImportModule+"\x01x\x00\x00"...)
	memory := []byte{5, 1, 0, 0}
	name := meter.ExportPrefix + "x"
	exports := append(append([]byte{7, 1, byte(len(name))}, name...), 2, 0)
	for _, m := range []*wasmbin.Module{module(t, types, imports), module(t, memory, exports)} {
		if _, err := meter.Rewrite(m); !errors.Is(err, meter.ErrReserved) {
			t.Errorf("got %v, want ErrReserved", err)
		}
	}
	if _, err := meter.Rewrite(module(t, memory, []byte{7, 1, 1, 'x', 2, 0})); err != nil {
		t.Error(err)
	}
}
