package wasmbin_test

import (
	"bytes"
	_ "embed"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dashhost/dashhost/guest/wasmbin"
)

//go:embed testdata/kitchen.wasm
var kitchen []byte

func mustDecode(t testing.TB, b []byte) *wasmbin.Module {
	t.Helper()
	m, err := wasmbin.Decode(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEncodeAgreesWithWabt: another encoder of the canonical form wrote the file.
func TestEncodeAgreesWithWabt(t *testing.T) {
	m := mustDecode(t, kitchen)
	want := kitchen
	for _, s := range m.Sections {
		if s.Custom && s.Name == "name" {
			want = kitchen[:s.Offset-3] // its id, and two bytes of size
		}
	}
	got := wasmbin.Encode(m)
	if !bytes.HasPrefix(got, want) {
		t.Errorf("encoded module differs from wabt's:\n%x\n%x", got, want)
	}
	e := newEngine(t, features)
	before, err := e.compile(kitchen)
	if err != nil {
		t.Fatal(err)
	}
	after, err := e.compile(got)
	if err != nil {
		t.Fatal(err)
	}
	sameShape(t, "kitchen", before, after)
}

func TestViews(t *testing.T) {
	m := mustDecode(t, kitchen)
	memory, imported := m.Memory()
	type view struct {
		Features                          []string
		Memory                            wasmbin.Limits
		MemoryImported                    bool
		Table0, Table1, Table2            string
		Functions, Tables, Globals        int
		ImportedFunctions                 int
		Pair, Import, Export, Name, Start string
		Global0, Global1                  wasmbin.GlobalType
	}
	export := m.Export("pair")
	got := view{
		Features: m.Features.Names(), Memory: *memory, MemoryImported: imported,
		Table0: m.TableType(0).Elem.String(), Table1: m.TableType(1).Elem.String(), Table2: m.TableType(2).Elem.String(),
		Functions: m.Count(wasmbin.KindFunc), Tables: m.Count(wasmbin.KindTable), Globals: m.Count(wasmbin.KindGlobal),
		ImportedFunctions: m.Imported(wasmbin.KindFunc),
		Pair:              m.FunctionType(export.Index).String(),
		Import:            m.FunctionType(0).String(),
		Export:            export.Kind.String(),
		Name:              m.Names.Module + "." + m.Names.Function(export.Index),
		Start:             m.Names.Function(m.Start),
		Global0:           *m.GlobalType(0), Global1: *m.GlobalType(1),
	}
	want := view{
		Features: []string{"sign-extension", "nontrapping-float-to-int", "multi-value", "mutable-globals",
			"bulk-memory", "reference-types", "simd"},
		Memory: wasmbin.Limits{Min: 1, Max: 17, HasMax: true},
		Table0: "externref", Table1: "funcref", Table2: "externref",
		Functions: 5, Tables: 3, Globals: 5, ImportedFunctions: 1,
		Pair: "(i64) -> (i64, f64)", Import: "(i32, i32) -> (i32)", Export: "func",
		Name: "kitchen.pair", Start: "begin",
		Global0: wasmbin.GlobalType{Type: wasmbin.I32},
		Global1: wasmbin.GlobalType{Type: wasmbin.I64, Mutable: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("views (-want +got):\n%s", d)
	}
	if m.FunctionType(5) != nil || m.TableType(3) != nil || m.GlobalType(5) != nil || m.Export("nothing") != nil ||
		m.Names.Function(99) != "" {
		t.Error("something is found behind the end of an index space")
	}
	wantCost := wasmbin.Cost{Locals: 1, Nesting: 2, LoopNesting: 1, Blocks: 3, Branches: 5, BrTargets: 3, Values: 4, Stack: 3}
	if d := cmp.Diff(wantCost, m.Functions[2].Cost); d != "" {
		t.Errorf("cost of $labels (-want +got):\n%s", d)
	}
}

// TestSections: the sections of the input cover it without gaps.
func TestSections(t *testing.T) {
	m := mustDecode(t, kitchen)
	var names []string
	end := 8
	for _, s := range m.Sections {
		names = append(names, s.Name)
		if gap := s.Offset - end; gap < 2 || gap > 6 {
			t.Errorf("section %s begins %d bytes after the one before", s.Name, gap)
		}
		end = s.Offset + s.Size
	}
	if end != len(kitchen) {
		t.Errorf("sections end at %d of %d", end, len(kitchen))
	}
	want := []string{"type", "import", "function", "table", "memory", "global", "export", "start", "element",
		"data count", "code", "data", "name"}
	if !slices.Equal(names, want) {
		t.Errorf("sections %v, want %v", names, want)
	}
}

// TestInstrReaderDoesNotAllocate, not even for the long immediates.
func TestInstrReaderDoesNotAllocate(t *testing.T) {
	m := mustDecode(t, kitchen)
	n := 0
	allocs := testing.AllocsPerRun(100, func() {
		for i := range m.Functions {
			it := wasmbin.NewInstrReader(m.Functions[i].Body)
			var in wasmbin.Instr
			for it.Next(&in) {
				for range in.Labels() {
					n++
				}
			}
		}
	})
	if allocs != 0 || n == 0 {
		t.Errorf("%v allocations a walk, %d labels", allocs, n)
	}
}

// TestRelabel wraps a body in a block, as a rewriter does: labels that leave it must count one more.
func TestRelabel(t *testing.T) {
	m := mustDecode(t, kitchen)
	f := &m.Functions[2]
	body := wasmbin.AppendOp(nil, wasmbin.OpBlock)
	body = wasmbin.AppendInt64(body, int64(wasmbin.BlockOf(wasmbin.I32)))
	depth := uint32(0)
	it := wasmbin.NewInstrReader(f.Body)
	var in wasmbin.Instr
	for it.Next(&in) {
		body = in.AppendRelabelled(body, func(l uint32) uint32 {
			if l >= depth {
				return l + 1
			}
			return l
		})
		switch in.Op {
		case wasmbin.OpBlock, wasmbin.OpLoop, wasmbin.OpIf:
			depth++
		case wasmbin.OpEnd:
			depth--
		}
	}
	f.Body = wasmbin.AppendOp(body, wasmbin.OpEnd)
	var labels []uint32
	for it := wasmbin.NewInstrReader(f.Body); it.Next(&in); {
		labels = slices.AppendSeq(labels, in.Labels())
	}
	if want := []uint32{0, 1, 1, 1}; !slices.Equal(labels, want) { // of br_table, within the body, and of br_if, out of it
		t.Errorf("labels %v, want %v", labels, want)
	}
	again := mustDecode(t, wasmbin.Encode(m))
	c := again.Functions[2].Cost
	if c.Blocks != 4 || c.Nesting != 3 {
		t.Errorf("the wrapped body has cost %+v", c)
	}
}

// padded is v in five bytes, which is what linkers leave where they fill in numbers.
func padded(v uint32) string {
	return string([]byte{byte(v) | 0x80, byte(v>>7) | 0x80, byte(v>>14) | 0x80, byte(v>>21) | 0x80, byte(v >> 28)})
}

// wasm puts a binary together from sections.
func wasm(sections ...string) []byte {
	return []byte("\x00asm\x01\x00\x00\x00" + strings.Join(sections, ""))
}

// sec is a section with a size in five bytes.
func sec(id byte, content ...string) string {
	all := strings.Join(content, "")
	return string([]byte{id}) + padded(uint32(len(all))) + all
}

// TestShortens: numbers longer than they need be are taken and come out short, and neighbours of one type joined.
func TestShortens(t *testing.T) {
	body := padded(3) + // three groups of locals
		padded(2) + "\x7f" + padded(0) + "\x7e" + padded(3) + "\x7f" +
		"\x41\xff\xff\x7f" + // i32.const -1
		"\x0b"
	loose := wasm(
		sec(1, padded(1), "\x60", padded(0), padded(1), "\x7f"),
		sec(3, padded(1), padded(0)),
		sec(10, padded(1), padded(uint32(len(body))), body))
	want := wasm(
		"\x01\x05\x01\x60\x00\x01\x7f",
		"\x03\x02\x01\x00",
		"\x0a\x08\x01\x06\x01\x05\x7f\x41\x7f\x0b")
	if got := wasmbin.Encode(mustDecode(t, loose)); !bytes.Equal(got, want) {
		t.Errorf("encoded %x, want %x", got, want)
	}
}
