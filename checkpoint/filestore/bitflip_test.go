package filestore

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// storeOf64K makes a closed store whose files have 64 KiB together, and returns them and what each thread's states were.
func storeOf64K(t *testing.T) (files map[string][]byte, states map[string][]string, total int) {
	t.Helper()
	ctx := context.Background()
	m := &vfs.Mem{}
	s := checkpoint.New(openMem(t, m, newMemLocks(m), Options{}), nil)
	states = map[string][]string{}
	fill := noZeros(1500)
	for _, name := range []string{"a", "b", "c"} {
		c, err := s.Claim(ctx, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 14 {
			x := fmt.Sprintf("%q", name+fmt.Sprint(i))
			for j := range fill {
				fill[j] = byte(i*31+j*j*7+j>>3) | 1
			}
			r := &checkpoint.Record{Kind: checkpoint.KindStep, Parts: [][]byte{fill}, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "x", Value: []byte(x)}}}
			if _, err := c.Append(ctx, r); err != nil {
				t.Fatal(err)
			}
			states[name] = append(states[name], x)
		}
		if err := c.Release(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, n := range []string{"s/store", "s/index", "s/log/00000001"} {
		b, ok := m.Data(n)
		if !ok {
			t.Fatalf("no file %s", n)
		}
		files[n] = b
		total += len(b)
	}
	if total < 48<<10 || total > 80<<10 {
		t.Fatalf("the store has %d bytes, want about 64 KiB", total)
	}
	return files, states, total
}

// TestBitflip flips the bits of a store one at a time and cuts its log at its bytes: each is found, typed, costs one thread at most,
// and the others are the newest. All of them with DASHHOST_SOAK=1, some without.
func TestBitflip(t *testing.T) {
	files, states, total := storeOf64K(t)
	bits, bytes := 3001, 401 // primes, so that each bit of a byte has its turn
	if soak() {
		bits, bytes = 1, 1
	}
	flips, refused, hurt := 0, 0, 0
	for name, b := range files {
		for bit := 0; bit < 8*len(b); bit += bits {
			flips++
			b[bit/8] ^= 1 << (bit % 8)
			o := look(t, clone(files), states)
			b[bit/8] ^= 1 << (bit % 8)
			where := fmt.Sprintf("%s byte %d bit %d", name, bit/8, bit%8)
			if o.refused != nil {
				refused++
				if name != "s/store" || !errors.Is(o.refused, driver.ErrDamaged) {
					t.Errorf("%s: open: %v", where, o.refused)
				}
				continue
			}
			hurt += len(o.hurt)
			if len(o.reported) == 0 || len(o.wrong) > 0 || len(o.hurt) > 1 {
				t.Errorf("%s: %d places reported, wrong %q, cannot be written %v", where, len(o.reported), o.wrong, o.hurt)
			}
			for th := range o.old {
				if !o.hurt[th] {
					t.Errorf("%s: thread %q is not the newest and not damaged", where, th)
				}
			}
		}
	}
	cuts := 0
	whole := files["s/log/00000001"]
	for size := 0; size < len(whole); size += bytes {
		cuts++
		files["s/log/00000001"] = whole[:size]
		o := look(t, clone(files), states)
		if o.refused != nil {
			if size >= segmentHead || !errors.Is(o.refused, driver.ErrDamaged) {
				t.Errorf("cut at %d: %v", size, o.refused)
			}
			continue
		}
		if len(o.wrong) > 0 || len(o.reported) == 0 {
			t.Errorf("cut at %d: wrong %q, %d places reported", size, o.wrong, len(o.reported))
		}
		for th := range o.old {
			if !o.hurt[th] {
				t.Errorf("cut at %d: thread %q has lost its newest step and is not damaged", size, th)
			}
		}
	}
	t.Logf("a store of %d bytes: %d bits flipped, %d cuts; all found and typed, %d refused at open, %d times one thread was read-only", total, flips, cuts, refused, hurt)
}
