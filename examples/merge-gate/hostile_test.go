package mergegate

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// hostile are the modes of testdata/hostile, and how the check ends in each.
var hostile = []struct{ mode, code, text string }{
	{"loop", "deadline", "limits.deadline"},
	{"memory", "trap", "unreachable"},
	{"network", "denied", "http"},
}

// hostileIn is testdata/hostile/workflow.yaml in a copy of what it needs, with the mode set.
func hostileIn(t *testing.T, mode string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"wasm", "testdata/hostile"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(name)); err != nil {
			t.Fatal(err)
		}
	}
	manifest := filepath.Join(dir, "testdata/hostile/workflow.yaml")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("mode: loop")) {
		t.Fatal("testdata/hostile/workflow.yaml has no mode: loop")
	}
	text = bytes.Replace(text, []byte("mode: loop"), []byte("mode: "+mode), 1)
	if err := os.WriteFile(manifest, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return manifest
}

func TestAHostileCheckIsStoppedAndTheOthersAreKept(t *testing.T) {
	h, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	patch, err := os.ReadFile("sample.patch")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, c := range hostile {
		t.Run(c.mode, func(t *testing.T) {
			g, err := h.Load(ctx, hostileIn(t, c.mode), nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := h.Start(ctx, g, patch, nil)
			if err != nil {
				t.Fatal(err)
			}
			var ended []string
			for ev := range r.Events() {
				if ev.Type == "node_end" {
					ended = append(ended, ev.Node)
				}
			}
			res, err := r.Wait(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if res.Status != "failed" || res.Err == nil || res.Err.Node != "hostile" || res.Err.Code != c.code || !strings.Contains(res.Err.Error(), c.text) {
				t.Fatalf("status %s, error %v; want hostile to fail with code %s and %q", res.Status, res.Err, c.code, c.text)
			}
			slices.Sort(ended)
			if want := []string{"chars", "deps", "secrets", "split"}; !slices.Equal(ended, want) {
				t.Errorf("ended: %v, want %v", ended, want)
			}

			// What the others found is kept: a resume runs the hostile check alone.
			r, err = h.Resume(ctx, res.Thread, nil)
			if err != nil {
				t.Fatal(err)
			}
			var again []string
			for ev := range r.Events() {
				if ev.Node != "" {
					again = append(again, ev.Type+" "+ev.Node)
				}
			}
			if _, err := r.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(again, []string{"node_error hostile"}) {
				t.Errorf("on resume: %v, want that hostile alone ran, and failed again", again)
			}
		})
	}
}

// The command names the check on standard error and ends with 1.
func TestTheCommandNamesTheHostileCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command")
	}
	bin := filepath.Join(t.TempDir(), "dashhost")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/dashhost").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cache := t.TempDir()
	for _, c := range hostile {
		t.Run(c.mode, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, bin, "run", hostileIn(t, c.mode), "--input", "sample.patch")
			cmd.Env = append(os.Environ(), "DASHHOST_CACHE_DIR="+cache)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Fatalf("%v, want exit code 1\n%s", err, &stderr)
			}
			if !strings.Contains(stderr.String(), "hostile") || !strings.Contains(stderr.String(), c.text) {
				t.Errorf("standard error does not say that hostile was stopped (%s):\n%s", c.text, &stderr)
			}
			if stdout.Len() > 0 {
				t.Errorf("printed a report: %s", &stdout)
			}
		})
	}
}
