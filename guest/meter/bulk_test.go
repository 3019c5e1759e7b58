package meter_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

func testModule(t testing.TB, name string) *wasmbin.Module {
	t.Helper()
	b, err := os.ReadFile("../testdata/meter/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasmbin.Decode(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const mib = 1 << 20

// TestBulk: bulk operations that are done in pieces do what the specification says of the whole: nothing is written
// before a trap, overlapping ranges move as if copied aside, an empty range may lie at the end, growth that fails is -1.
func TestBulk(t *testing.T) {
	m := testModule(t, "bulk")
	long := make([]byte, 3*mib+17)
	for i := range long {
		long[i] = byte(i * i >> 3)
	}
	m.Data[0].Bytes = long
	m.Elements[0].Functions = slices.Repeat(m.Elements[0].Functions, 25_000)
	b := wasmbin.Encode(m)
	const end = 96 * 64 << 10
	plain, err := newMachine(b, 0)
	defer plain.close()
	if err != nil {
		t.Fatal(err)
	}
	metered, err := newMachine(b, 1000)
	defer metered.close()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		words [][3]uint32
	}{
		{"memory.fill", [][3]uint32{
			{0, 1, 0}, {end, 1, 0}, {end + 1, 1, 0}, {7, 2, 1}, {7, 3, 1024}, {7, 4, 1025}, {9, 0x1ff, mib - 1}, {9, 6, mib}, {9, 7, mib + 1}, {0, 8, end},
			{1, 9, end}, {end - 5, 9, 6}, {end - mib, 10, mib}, {end - mib, 11, mib + 1}, {math.MaxUint32, 1, 2000}, {2000, 1, math.MaxUint32},
		}},
		{"memory.copy", [][3]uint32{
			{0, 5, 0}, {end, end, 0}, {end + 1, 0, 0}, {0, end + 1, 0}, {3, 0, 1024}, {3, 0, 1025}, {0, 3, 1025}, {mib, mib, 2 * mib},
			{100, 0, 3 * mib}, {0, 100, 3 * mib}, {mib + 1, 0, 3 * mib}, {0, mib + 1, 3 * mib}, {1, 0, end - 1}, {0, 1, end - 1},
			{1, 0, end}, {0, 1, end}, {end - 100, 0, 2000}, {0, end - 100, 2000}, {math.MaxUint32, 0, 2000}, {0, math.MaxUint32, 2000}, {0, 0, math.MaxUint32},
		}},
		{"memory.init", [][3]uint32{
			{0, 0, 0}, {end, 3*mib + 17, 0}, {0, 3*mib + 18, 0}, {11, 5, 1000}, {11, 5, 5000}, {1000, 3, 3*mib + 14}, {1000, 3, 3*mib + 15}, {end - 100, 0, 2000},
			{0, math.MaxUint32, 2000},
		}},
		{"memory.init after data.drop", [][3]uint32{{0, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 5000}, {0, 0, 2 * mib}}},
		{"memory.grow", [][3]uint32{{0}, {1}, {30}, {1000}, {65536}, {math.MaxUint32}, {33}, {1}, {0}}},
		{"short", [][3]uint32{{0, 300, 0}, {299, 17, 0}, {end, 0, 0}, {end - 300, 0, 0}}},
		{"steps", [][3]uint32{{0, 64, 2 * mib}, {5000, 64, 3 * mib}, {0, 64, end}}},
		{"dead", [][3]uint32{{}}},
		{"table.fill", [][3]uint32{{0, 0, 0}, {150000, 0, 0}, {150001, 0, 0}, {5, 0, 100}, {5, 0, 65536}, {5, 0, 65537}, {1, 0, 150000}, {0, 0, 150000}, {math.MaxUint32, 0, 2}}},
		{"table.null", [][3]uint32{{5, 0, 100}, {1000, 0, 140000}}},
		{"table.init", [][3]uint32{
			{0, 0, 0}, {150000, 200000 - 25_000, 0}, {0, 200000, 0}, {3, 1, 1000}, {3, 1, 140000}, {3, 0, 149998}, {0, 60000, 140000}, {0, 174999, 2}, {0, math.MaxUint32, 2},
		}},
		{"table.init after elem.drop", [][3]uint32{{0, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 100000}}},
		{"table.copy", [][3]uint32{
			{0, 1, 0}, {150000, 150000, 0}, {150001, 0, 0}, {0, 1, 140000}, {1, 0, 140000}, {65537, 0, 84463}, {0, 65537, 84463}, {1, 0, 150000}, {0, 1, 150000},
		}},
		{"table.to", [][3]uint32{{0, 1, 140000}, {70000, 0, 80000}, {1, 0, 150000}, {0, math.MaxUint32, 2}}},
		{"table.from", [][3]uint32{{0, 1, 140000}, {150001, 0, 0}, {0, 150001, 0}}},
		{"table.grow", [][3]uint32{{0}, {1}, {1000}, {260000}, {math.MaxUint32}, {200000}}},
		{"extern.grow", [][3]uint32{{5}, {70000}, {60000}, {0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, one := range []*machine{plain, metered} {
				if err := one.fresh(); err != nil {
					t.Fatal(err)
				}
				one.prepare(t, c.name)
			}
			name := c.name
			if i := slices.Index([]byte(name), ' '); i > 0 {
				name = name[:i]
			}
			for _, w := range c.words {
				args := []uint64{uint64(w[0]), uint64(w[1]), uint64(w[2])}
				want, got := plain.call(name, args, nil), metered.call(name, args, nil)
				if got != want {
					t.Errorf("%v: %s, metered %s", w, want, got)
				}
				for _, look := range []string{"tables", "table.size"} {
					if name[0] == 'm' {
						break // nothing of tables changes
					}
					if want, got := plain.call(look, args, nil), metered.call(look, args, nil); got != want {
						t.Errorf("%v: %s are %s, metered %s", w, look, want, got)
					}
				}
				compareState(t, fmt.Sprint(w), instance{Module: plain.mod, memory: true}, instance{Module: metered.mod, memory: true}, map[string]int{})
			}
		})
	}
}

// prepare gives memory and tables contents that tell their places apart.
func (m *machine) prepare(t *testing.T, what string) {
	t.Helper()
	mem := m.mod.Memory()
	b, _ := mem.Read(0, mem.Size())
	for i := range b {
		b[i] = byte(i*7 ^ i>>8)
	}
	steps := [][4]any{{"table.init", 17, 5, 120000}, {"table.to", 0, 1000, 100000}}
	switch what {
	case "memory.init after data.drop":
		steps = append(steps, [4]any{"data.drop", 0, 0, 0})
	case "table.init after elem.drop":
		steps = append(steps, [4]any{"elem.drop", 0, 0, 0})
	}
	for _, s := range steps {
		args := []uint64{uint64(s[1].(int)), uint64(s[2].(int)), uint64(s[3].(int))}
		if got := m.call(s[0].(string), args, nil); got != "[]" {
			t.Fatalf("%v: %s", s, got)
		}
	}
}

// TestBulkIsCharged: by size, and with a look at the counter for every piece.
func TestBulkIsCharged(t *testing.T) {
	b := wasmbin.Encode(testModule(t, "bulk"))
	m, err := newMachine(b, 1000)
	defer m.close()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		words       [3]uint64
		least, most int64
		asks        int
	}{
		{"memory.fill", [3]uint64{0, 1, 4 * mib}, 4 * mib / 16, 4*mib/16 + 100, 4},
		{"memory.copy", [3]uint64{9, 1, 4 * mib}, 4 * mib / 16, 4*mib/16 + 100, 4},
		{"memory.copy", [3]uint64{9, 1, 1024}, 64, 64 + 100, 0},
		{"memory.copy", [3]uint64{9, 1, 0}, 1, 100, 0},
		{"memory.grow", [3]uint64{10}, 40960, 40960 + 100, 1},
		{"memory.grow", [3]uint64{1000}, 1, 100, 0},
		{"table.fill", [3]uint64{0, 0, 140_000}, 140_000, 140_100, 3},
		{"table.grow", [3]uint64{100_000}, 100_000, 100_100, 1},
		{"table.grow", [3]uint64{10_000_000}, 1, 100, 0},
	} {
		if err := m.fresh(); err != nil {
			t.Fatal(err)
		}
		if got := m.call(c.name, c.words[:], nil); got[0] != '[' {
			t.Errorf("%s %v: %s", c.name, c.words, got)
		}
		if f := m.fuel(); f < c.least || f > c.most {
			t.Errorf("%s %v: %d units, expected %d to %d", c.name, c.words, f, c.least, c.most)
		}
		if m.asked < c.asks {
			t.Errorf("%s %v: asked %d times, expected %d or more", c.name, c.words, m.asked, c.asks)
		}
	}
}

// deepest finds how deep a recursion goes with so much stack: the largest number that an export takes.
func deepest(t *testing.T, m *machine, export string, stack uint64) uint64 {
	t.Helper()
	low, high := uint64(0), uint64(1<<14)
	for low < high {
		n := (low + high + 1) / 2
		m.mod.ExportedGlobal(meter.ExportDepth).(api.MutableGlobal).Set(stack)
		_, err := m.mod.ExportedFunction(export).Call(t.Context(), n)
		switch {
		case errors.Is(err, errStop):
			high = n - 1
		case err != nil && firstLine(err) != "wasm error: unreachable":
			t.Fatalf("%s %d: %v", export, n, err)
		default:
			low = n
		}
	}
	return low
}

// TestDepth: whatever the way of a recursion, it ends in proportion to the stack; and calls that returned, by whatever
// way, have taken nothing.
func TestDepth(t *testing.T) {
	m, err := newMachine(wasmbin.Encode(testModule(t, "depth")), 1<<20)
	defer m.close()
	if err != nil {
		t.Fatal(err)
	}
	m.end = true
	if err := m.fresh(); err != nil {
		t.Fatal(err)
	}
	for _, export := range []string{"rec", "indirect", "mutual", "cold", "aside", "ways", "siblings"} {
		small, large := deepest(t, m, export, 64<<10), deepest(t, m, export, 256<<10)
		if small < 100 || large < 3*small || large > 5*small {
			t.Errorf("%s: %d deep with 64 KiB, %d with 256 KiB", export, small, large)
		}
		if again := deepest(t, m, export, 64<<10); again != small {
			t.Errorf("%s: %d deep at first, then %d", export, small, again)
		}
		t.Logf("%s: %d deep with 64 KiB", export, small)
	}
	m.mod.ExportedGlobal(meter.ExportDepth).(api.MutableGlobal).Set(0)
	if _, err := m.mod.ExportedFunction("chain").Call(t.Context(), 1); err != nil {
		t.Errorf("a short chain minds the depth: %v", err)
	}
}
