package wasmbin_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

// several returns a module that has at least two of everything that is bounded.
func several(t testing.TB) []byte {
	m := mustDecode(t, kitchen)
	m.Tags = []uint32{1, 1} // both of type () -> ()
	body := []byte("\x03\x40\x03\x40\x41\x00\x0d\x00\x0b\x0b\x00\x0b")
	m.Functions[0].Locals = []wasmbin.LocalRun{{Count: 3, Type: wasmbin.I32}}
	m.Functions[3].Body = append(body[:len(body)-1:len(body)-1], m.Functions[3].Body...)
	b := wasmbin.Encode(m)
	return append(b, wasm(sec(0, "\x02c1"), sec(0, "\x02c2\x00"))[8:]...)
}

// snake turns the name of a field into the name of its bound.
func snake(field string) string {
	var b strings.Builder
	for i, r := range field {
		if r >= 'A' && r <= 'Z' && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// TestEveryBound lowers one bound after the other, down from what the module has: it is taken with exactly that and
// refused by the bound's name with one less. A field that nothing checks fails.
func TestEveryBound(t *testing.T) {
	b := several(t)
	fields := reflect.TypeFor[wasmbin.Bounds]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if name == "NameBytes" {
			continue // does not refuse, TestNamesAreBounded has it
		}
		t.Run(name, func(t *testing.T) {
			decode := func(bound uint64) error {
				o := &wasmbin.Options{Exceptions: true}
				reflect.ValueOf(&o.Bounds).Elem().Field(i).SetUint(bound)
				_, err := wasmbin.Decode(b, o)
				return err
			}
			refused := uint64(0)
			err := decode(1)
			for bound := uint64(1); err != nil && bound < 10_000; {
				var be *wasmbin.BoundError
				if !errors.As(err, &be) {
					t.Fatalf("with %d: %v", bound, err)
				}
				if be.Bound != snake(name) || be.Max != int64(bound) || be.Got <= be.Max {
					t.Fatalf("with %d: %+v", bound, be)
				}
				refused = bound
				bound++
				err = decode(bound)
			}
			if refused == 0 {
				t.Errorf("a bound of 1 refuses nothing")
			}
			if err := decode(refused + 1); err != nil {
				t.Errorf("with %d: %v", refused+1, err)
			}
		})
	}
}

// TestDefaultsAreSet: every field has a default.
func TestDefaultsAreSet(t *testing.T) {
	v := reflect.ValueOf(wasmbin.Bounds{}.WithDefaults())
	for i := range v.NumField() {
		if v.Field(i).Uint() == 0 {
			t.Errorf("%s has no default", v.Type().Field(i).Name)
		}
	}
	if got := (wasmbin.Bounds{Types: 7}).WithDefaults().Types; got != 7 {
		t.Errorf("a bound that was set became %d", got)
	}
}

// TestDefaultsAreWide: what the largest programs of real compilers need, as the comment of Bounds has it, is a fifth of each
// default, but for the depth of a Go guest's blocks.
func TestDefaultsAreWide(t *testing.T) {
	b := wasmbin.Bounds{}.WithDefaults()
	for name, c := range map[string]struct{ needs, has uint32 }{
		"body_bytes": {106_173, b.BodyBytes}, "locals": {188, b.Locals}, "nesting": {293, b.Nesting}, "loop_nesting": {8, b.LoopNesting},
		"blocks": {1_622, b.Blocks}, "branches": {2_357, b.Branches}, "block_locals": {103_950, b.BlockLocals}, "br_targets": {965, b.BrTargets},
		"values": {5_550, b.Values}, "functions": {11_448, b.Functions}, "locals_total": {15_592, b.LocalsTotal}, "data": {38_849, b.Data},
	} {
		wide := uint32(5)
		if name == "nesting" || name == "data" {
			wide = 2
		}
		if c.has < wide*c.needs {
			t.Errorf("%s: the default is %d, real programs need %d", name, c.has, c.needs)
		}
	}
	if b.Nesting < 549*3/2 {
		t.Errorf("nesting: the default is %d, a Go guest needs 549", b.Nesting)
	}
}

func TestNamesAreBounded(t *testing.T) {
	long := strings.Repeat("ä", 40) // 80 bytes: the cut must not go through a letter
	m := mustDecode(t, kitchen)
	m.Names.Functions = []wasmbin.NamedFunction{{Index: 0, Name: long}, {Index: 1, Name: long}, {Index: 3, Name: "short"}}
	b := wasmbin.Encode(m)
	m, err := wasmbin.Decode(b, &wasmbin.Options{Bounds: wasmbin.Bounds{NameLength: 31, NameBytes: 45}})
	if err != nil {
		t.Fatal(err)
	}
	want := []wasmbin.NamedFunction{{Index: 0, Name: long[:30]}, {Index: 3, Name: "short"}}
	if !slices.Equal(m.Names.Functions, want) || m.Names.Dropped != 1 || m.Names.Fault != nil {
		t.Errorf("names %+v", m.Names)
	}
}

// TestFaultyNamesAreDropped: the specification gives custom sections no say in whether a module is valid.
func TestFaultyNamesAreDropped(t *testing.T) {
	for _, names := range []string{
		"\x01\x05\x01\x09\x02ab",              // function 9 of 2
		"\x01\x05\x02\x00\x02ab",              // one name of two
		"\x01\x09\x02\x00\x02ab\x00\x02cd",    // function 0 twice
		"\x01\x05\x01\x00\x02\xff\xff",        // not UTF-8
		"\x01\xff\x01",                        // longer than the section
		"\x01\x06\x01\x00\x02ab\x00",          // a byte too many
		"\x01\x05\x01\x00\x02ab\x00\x02\x01a", // out of order
	} {
		two := wasm(noType, "\x03\x03\x02\x00\x00", "\x0a\x07\x02\x02\x00\x0b\x02\x00\x0b", sec(0, "\x04name", names))
		m := mustDecode(t, two)
		if m.Names.Fault == nil || len(m.Names.Functions) != 0 || m.Names.Module != "" {
			t.Errorf("names %q were kept: %+v", names, m.Names)
		}
	}
}

// TestBombs: small modules that keep a compiler busy for minutes, or take all memory. Each is refused by the bound
// that is meant for it.
func TestBombs(t *testing.T) {
	thousand := strings.Repeat("\x7f", 1000)
	thousandResults := sec(1, "\x01\x60\x00", padded(1000), thousand)
	for _, c := range []struct {
		name, bound string
		b           []byte
	}{
		{"deep blocks", "nesting", wasm(noType, oneFunc,
			code("\x00"+strings.Repeat("\x02\x40", 1001)+strings.Repeat("\x0b", 1002)))},
		{"deep loops", "loop_nesting", wasm(noType, oneFunc,
			code("\x00"+strings.Repeat("\x03\x40", 101)+strings.Repeat("\x0b", 102)))},
		{"many blocks with many locals", "block_locals", wasm(noType, oneFunc,
			code("\x01"+padded(40_000)+"\x7f"+strings.Repeat("\x02\x40\x0b", 50)+"\x0b"))},
		{"a long chain of br_if", "branches", wasm(noType, oneFunc,
			code("\x00"+strings.Repeat("\x41\x00\x0d\x00", 20_001)+"\x0b"))},
		{"a br_table of a million targets", "body_bytes", wasm(noType, oneFunc,
			code("\x00\x41\x00\x0e"+padded(1_100_000)+strings.Repeat("\x00", 1_100_001)+"\x0b"))},
		{"br_tables of 100,001 targets", "br_targets", wasm(noType, oneFunc,
			code("\x00\x41\x00\x0e"+padded(50_000)+strings.Repeat("\x00", 50_001)+
				"\x41\x00\x0e"+padded(50_000)+strings.Repeat("\x00", 50_001)+"\x0b"))},
		{"calls with a thousand results", "values", wasm(thousandResults, oneFunc,
			code("\x00"+strings.Repeat("\x10\x00", 1001)+"\x00\x0b"))},
		{"branches with a thousand values", "values", wasm(thousandResults, oneFunc,
			code("\x00\x10\x00"+strings.Repeat("\x41\x00\x0d\x00", 1001)+"\x0b"))},
		{"a br_table of labels with a thousand values", "values", wasm(thousandResults, oneFunc,
			code("\x00\x10\x00\x41\x00\x0e"+padded(1001)+strings.Repeat("\x00", 1002)+"\x0b"))},
		{"blocks with a thousand results", "values", wasm(thousandResults, oneFunc,
			code("\x00"+strings.Repeat("\x02\x00\x00\x0b", 1001)+"\x00\x0b"))},
		{"locals in many functions", "locals_total", wasm(noType, sec(3, padded(100), strings.Repeat("\x00", 100)),
			sec(10, padded(100), strings.Repeat("\x06\x01\xd0\x86\x03\x7f\x0b", 100)))},
		{"types with many parameters", "type_values", wasm(
			sec(1, padded(501), strings.Repeat("\x60"+padded(1000)+thousand+"\x00", 501)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wasmbin.Decode(c.b, nil)
			var be *wasmbin.BoundError
			if !errors.As(err, &be) || be.Bound != c.bound {
				t.Errorf("refused with %v, the bound %s is wanted", err, c.bound)
			}
		})
	}
}

// TestLoopsOneAfterTheOther do not nest, however many there are.
func TestLoopsOneAfterTheOther(t *testing.T) {
	m := mustDecode(t, wasm(noType, oneFunc, code("\x00"+strings.Repeat("\x03\x40\x0b", 500)+"\x0b")))
	if c := m.Functions[0].Cost; c.LoopNesting != 1 || c.Blocks != 500 || c.Branches != 500 {
		t.Errorf("cost %+v", c)
	}
}
