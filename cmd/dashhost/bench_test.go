package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	if s := spreadOf([]float64{5, 1, 3}); s != (spread{3, 1, 5}) {
		t.Errorf("%+v", s)
	}
	if s := spreadOf([]float64{4, 1, 3, 2}); s != (spread{2.5, 1, 4}) {
		t.Errorf("%+v", s)
	}
}

// TestTellBench: the same as a table and as JSON; rounds that differ much are said to.
func TestTellBench(t *testing.T) {
	r := &benchReport{System: "x/y", CPUs: 2, Folder: "d", Rows: []*benchRow{
		{Name: "a", Unit: unitTime, Ours: spread{200, 100, 300}, Yardstick: "raw", Beside: &spread{100, 50, 200}, Ratio: &spread{2, 1, 9}, Goal: goal(1.25)},
		{Name: "b", Unit: unitRate, Ours: spread{20_000, 10, 30_000}},
	}}
	var out, said strings.Builder
	a := &app{environ: &environ{}, stdout: &output{w: &out}, talk: &talk{w: &said}}
	a.tellBench(r)
	for _, want := range []string{"a        200µs    100µs..300µs", "raw 100µs", "2.00   1.00..9.00  <= 1.25\n", "20.0k/s  10/s..30.0k/s\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
	if want := "noisy     b: its rounds differ by a factor of 3000.0;"; !strings.Contains(said.String(), want) {
		t.Errorf("stderr lacks %q:\n%s", want, &said)
	}
	out.Reset()
	a.flags.json = true
	a.tellBench(r)
	if want := `{"name":"b","unit":"1/s","ours":{"median":20000,"min":10,"max":30000}}`; !strings.Contains(out.String(), want) {
		t.Errorf("the JSON lacks %s:\n%s", want, &out)
	}
}

// TestBenchStops: a signal ends it, and what it wrote is removed.
func TestBenchStops(t *testing.T) {
	dir := t.TempDir()
	e := newEnviron(t, "bench", "--for", "1h", "--dir", dir)
	e.Notify = func(c chan<- os.Signal) func() {
		go func() {
			for {
				if made, _ := filepath.Glob(dir + "/.dashhost-bench-*/one/log/*"); len(made) > 0 {
					c <- os.Interrupt
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		return func() {}
	}
	if code := e.run(); code != exitStopped {
		t.Errorf("exit code %d\n%s", code, e.Stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
