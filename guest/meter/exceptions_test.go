package meter_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// TestExceptions: code that throws and catches does the same metered, is charged the same whatever the slices, and a call
// that ended by an exception has taken no stack.
func TestExceptions(t *testing.T) {
	b, err := os.ReadFile("testdata/exceptions.wasm")
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasmbin.Decode(b, &wasmbin.Options{Exceptions: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []*machine
	for _, slice := range [...]int32{0, 1, 1000} {
		one, err := newMachine(b, slice)
		defer one.close()
		if err != nil {
			t.Fatal(err)
		}
		if err := one.fresh(); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	ended := map[string]int{}
	for n := range uint64(40) {
		for _, e := range m.Exports {
			if e.Kind != wasmbin.KindFunc {
				continue
			}
			where := fmt.Sprintf("%s %d", e.Name, n)
			want := all[0].call(e.Name, []uint64{n}, nil)
			ended[want[:1]]++
			for _, metered := range all[1:] {
				if got := metered.call(e.Name, []uint64{n}, nil); got != want {
					t.Errorf("%s: %s, metered %s", where, want, got)
				}
				compareState(t, where, instance{all[0].mod, true, []string{"left"}}, instance{metered.mod, true, []string{"left"}}, map[string]int{})
			}
			if a, b := all[1].fuel(), all[2].fuel(); a != b {
				t.Errorf("%s: %d units, with larger slices %d", where, a, b)
			}
		}
	}
	if ended["["] == 0 || ended["t"] == 0 {
		t.Errorf("calls that returned and that ended by an exception: %v", ended)
	}
	one := all[2]
	one.end = true
	one.mod.ExportedGlobal(meter.ExportDepth).(api.MutableGlobal).Set(64 << 10)
	if _, err := one.mod.ExportedFunction("again").Call(t.Context(), 2000); err != nil { // goes down by more than half, three times
		t.Error(err)
	}
}
