// Command extism prints what calls of guests cost with dashhost, on the bare runtime that both are made of, and with Extism's Go SDK: in
// one process, in turns, the shortest of many. It is a module of its own, so that Extism is no dependency of dashhost.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

func main() {
	log.SetFlags(0)
	root := "../../.."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := run(root); err != nil {
		log.Fatal(err)
	}
}

func run(root string) error {
	ctx := context.Background()
	b := &bench{root: root}
	for _, part := range []func(context.Context) error{b.calls, b.cleanState, b.deadlines, b.collector, b.traps} {
		if err := part(ctx); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}

type bench struct{ root string }

func (b *bench) wasm(path string) ([]byte, error) { return os.ReadFile(filepath.Join(b.root, path)) }

// figure is what one call costs one of the three.
type figure struct {
	name   string
	call   func() error
	best   time.Duration
	allocs float64
}

// measure calls each in turns, in batches of about a millisecond, and keeps the shortest mean of a batch.
func measure(figures ...*figure) error {
	const turns = 60
	for _, f := range figures {
		f.best = math.MaxInt64
		for range 3 {
			if err := f.call(); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
	}
	for range turns {
		for _, f := range figures {
			n, begun := 0, time.Now()
			for n < 5 || time.Since(begun) < time.Millisecond {
				if err := f.call(); err != nil {
					return fmt.Errorf("%s: %w", f.name, err)
				}
				n++
			}
			f.best = min(f.best, time.Since(begun)/time.Duration(n))
		}
	}
	for _, f := range figures {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 20 {
			if err := f.call(); err != nil {
				return err
			}
		}
		runtime.ReadMemStats(&after)
		f.allocs = float64(after.Mallocs-before.Mallocs) / 20
	}
	return nil
}

func row(what string, figures ...*figure) {
	fmt.Printf("%-34s", what)
	for _, f := range figures {
		fmt.Printf(" %12s", f.best.Round(time.Nanosecond))
	}
	for _, f := range figures {
		fmt.Printf(" %7.0f", f.allocs)
	}
	fmt.Println()
}

// calls compares one call on an instance that is there already.
func (b *bench) calls(ctx context.Context) error {
	fmt.Printf("%-34s %12s %12s %12s %7s %7s %7s\n", "a call, instance at hand", "dashhost", "bare", "extism", "allocs", "", "")
	for _, c := range []struct {
		what, module, entry string
		size                int
	}{{"no-op", "noop", "noop", 0}, {"echo 1 KiB", "echo", "echo", 1 << 10}, {"echo 64 KiB", "echo", "echo", 64 << 10}} {
		wasm, err := b.wasm("guest/testdata/" + c.module + ".wasm")
		if err != nil {
			return err
		}
		input := make([]byte, c.size)
		ours, err := newOurs(ctx, wasm, reuse, input)
		if err != nil {
			return err
		}
		bare, err := newBare(ctx, wasm, input)
		if err != nil {
			return err
		}
		theirs, err := newExtism(ctx, c.entry, input)
		if err != nil {
			return err
		}
		f := []*figure{{name: "dashhost", call: ours.call}, {name: "bare", call: bare.call}, {name: "extism", call: theirs.call}}
		if err := measure(f...); err != nil {
			return err
		}
		row(c.what, f...)
		if err := errors.Join(ours.close(), bare.close(), theirs.close()); err != nil {
			return err
		}
	}
	return nil
}

// cleanState compares calls that see nothing of earlier ones: ours put back to the image, against a fresh instance of the bare runtime and a
// fresh plug-in. One instance, so a call waits until the one before is undone.
func (b *bench) cleanState(ctx context.Context) error {
	fmt.Printf("%-34s %12s %12s %12s %12s\n", "a call with clean state", "reset", "reuse", "difference", "bare, fresh")
	for _, c := range []struct{ what, path string }{
		{"C", "examples/merge-gate/testdata/four/c.wasm"},
		{"Rust", "examples/merge-gate/testdata/four/rust.wasm"},
		{"AssemblyScript", "examples/merge-gate/testdata/four/assemblyscript.wasm"},
		{"Go", "examples/merge-gate/testdata/four/go.wasm"},
	} {
		wasm, err := b.wasm(c.path)
		if err != nil {
			return err
		}
		input := []byte(`{"files":[{"path":"a.txt","hunks":[]}]}`)
		clean, err := newOurs(ctx, wasm, reset, input)
		if err != nil {
			return err
		}
		kept, err := newOurs(ctx, wasm, reuse, input)
		if err != nil {
			return err
		}
		fresh, err := newBareFresh(ctx, wasm, input)
		if err != nil {
			return err
		}
		f := []*figure{{name: "reset", call: clean.call}, {name: "reuse", call: kept.call}, {name: "fresh", call: fresh.call}}
		if err := measure(f...); err != nil {
			return err
		}
		fmt.Printf("%-34s %12s %12s %12s %12s\n", c.what, f[0].best, f[1].best, f[0].best-f[1].best, f[2].best)
		if err := errors.Join(clean.close(), kept.close(), fresh.close()); err != nil {
			return err
		}
	}
	wasm, err := b.wasm("guest/testdata/noop.wasm")
	if err != nil {
		return err
	}
	ours, err := newOurs(ctx, wasm, fresh, nil)
	if err != nil {
		return err
	}
	bare, err := newBareFresh(ctx, wasm, nil)
	if err != nil {
		return err
	}
	theirs, err := newExtismFresh(ctx, "noop")
	if err != nil {
		return err
	}
	f := []*figure{{name: "dashhost", call: ours.call}, {name: "bare", call: bare.call}, {name: "extism", call: theirs.call}}
	if err := measure(f...); err != nil {
		return err
	}
	fmt.Printf("\n%-34s %12s %12s %12s %7s %7s %7s\n", "a call of a fresh instance", "dashhost", "bare", "extism", "allocs", "", "")
	row("no-op", f...)
	return errors.Join(ours.close(), bare.close(), theirs.close())
}

// patience is how long a guest may outlive its deadline before it is given up on.
const patience = 5 * time.Second

// deadlines lets guests that never end run into 100 ms.
func (b *bench) deadlines(ctx context.Context) error {
	const deadline = 100 * time.Millisecond
	fmt.Printf("%-34s %12s %12s\n", "a deadline of 100ms, ended after", "dashhost", "extism")
	for _, name := range []string{"loop", "fib", "fill"} {
		wasm, err := b.wasm("guest/testdata/hostile/" + name + ".wasm")
		if err != nil {
			return err
		}
		ours, err := ourDeadline(ctx, wasm, deadline)
		if err != nil {
			return err
		}
		theirs, err := extismDeadline(ctx, name, deadline)
		if err != nil {
			return err
		}
		text := theirs.Round(10 * time.Microsecond).String()
		if theirs >= patience {
			text = "> " + patience.String()
		}
		fmt.Printf("%-34s %12s %12s\n", name, ours.Round(10*time.Microsecond), text)
	}
	return nil
}

// collector measures the longest stop of Go's garbage collector while guests spin on all processors.
func (b *bench) collector(ctx context.Context) error {
	wasm, err := b.wasm("guest/testdata/hostile/loop.wasm")
	if err != nil {
		return err
	}
	fmt.Printf("%-34s %12s %12s\n", "longest stop of the collector", "dashhost", "extism")
	ours, err := stopsWhile(func() error { return spinOurs(ctx, wasm, time.Second) })
	if err != nil {
		return err
	}
	theirs, err := stopsWhile(func() error { return spinExtism(ctx, "fib", time.Second) })
	if err != nil {
		return err
	}
	fmt.Printf("%-34s %12s %12s\n", "guests spin on all processors", ours, theirs)
	return nil
}

// stopsWhile collects garbage all the time while spin runs on every processor.
func stopsWhile(spin func() error) (time.Duration, error) {
	guests := runtime.GOMAXPROCS(0)
	errs := make(chan error, guests)
	before := stops()
	for range guests {
		go func() { errs <- spin() }()
	}
	var err error
	for left := guests; left > 0; {
		runtime.GC()
		select {
		case e := <-errs:
			err = errors.Join(err, e)
			left--
		default:
		}
	}
	return longest(before, stops()), err
}

func stops() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64Histogram()
}

// longest is the upper end of the last bucket that got something.
func longest(before, after *metrics.Float64Histogram) time.Duration {
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if after.Counts[i] > before.Counts[i] {
			return time.Duration(after.Buckets[i+1] * float64(time.Second))
		}
	}
	return 0
}

// traps calls a guest that traps a million times, and looks at the memory of the process.
func (b *bench) traps(ctx context.Context) error {
	const calls = 1_000_000
	wasm, err := b.wasm("internal/bench/extism/trap.wasm")
	if err != nil {
		return err
	}
	p, err := newTrapping(ctx, wasm)
	if err != nil {
		return err
	}
	for range 1000 {
		if err := p.call(); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	before, begun := resident(), time.Now()
	for range calls {
		if err := p.call(); err != nil {
			return err
		}
	}
	took := time.Since(begun)
	debug.FreeOSMemory()
	fmt.Printf("%d calls of a guest that traps: %s each, resident before %d MiB, after %d MiB\n",
		calls, (took / calls).Round(10*time.Nanosecond), before>>20, resident()>>20)
	return p.close()
}

// resident is the memory of the process as the kernel counts it, in bytes; 0 where that is not told.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
