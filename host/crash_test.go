package host_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
)

// The crash loop kills the real host, in a process of its own, at random
// moments. Outside the store a witness file says what happened, one line each,
// in order:
//
//	ran STEP NODE PATH     a native node did its work
//	ack STEP NODE PATH     the host told that the task's end is durable
//	ack STEP               ... that the step is
//
// After each kill the store is read, without resuming, and must hold every
// acknowledged step and task; no task may run once it was acknowledged.

const (
	crashKills  = "DASHHOST_CRASH_KILLS" // how often to kill; make crash N=... sets it
	crashTurns  = 12                     // turns of the loop in the manifest
	crashThread = "t"
)

const crashManifest = `
output: {channel: log}
channels: {n: {reduce: add}, items: {}, log: {reduce: append}, text: {}}
modules: {echo: {path: echo.wasm}}
nodes:
  plan:   {native: plan, reads: [n], writes: [items, text]}
  effect: {native: effect, each: {over: items}, writes: [log]}
  echo:   {module: echo, raw: {in: text, out: text}}
  count:  {native: count, reads: [text], writes: [n, log]}
edges:
  - {from: START, to: plan}
  - {from: plan, to: [effect, echo]}
  - {from: [effect, echo], to: count}
  - {from: count, when: [{if: "n < 12", to: plan}, {to: END}]}
`

// crashRun is the child: it starts or resumes the thread and runs it to its end.
func crashRun(dir string) error {
	ctx := context.Background()
	witness, err := os.OpenFile(filepath.Join(dir, "witness"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) error {
		_, err := fmt.Fprintf(witness, format+"\n", args...) // one write: lines of tasks do not mix
		return err
	}
	nodes := host.Nodes{
		"plan": host.Func(func(t *host.Task, in struct{ N int }) (map[string]any, error) {
			return map[string]any{"items": []int{in.N, in.N + 1, in.N + 2}, "text": fmt.Sprint("turn ", in.N)}, say("ran %d %s %s", t.Step(), t.Node(), t.Path())
		}),
		"effect": host.Func(func(t *host.Task, in struct{ Item int }) (map[string]any, error) {
			return map[string]any{"log": []int{in.Item}}, say("ran %d %s %s", t.Step(), t.Node(), t.Path())
		}),
		"count": host.Func(func(t *host.Task, in struct{ Text string }) (map[string]any, error) {
			return map[string]any{"n": 1, "log": []string{in.Text}}, say("ran %d %s %s", t.Step(), t.Node(), t.Path())
		}),
	}
	h, err := host.New(&host.Options{Store: crashStore(dir), OpenStore: openStore})
	if err != nil {
		return err
	}
	run, err := h.Resume(ctx, crashThread, &host.ResumeOptions{Nodes: nodes})
	for errors.Is(err, checkpoint.ErrBusy) { // the lease of who was killed
		time.Sleep(20 * time.Millisecond)
		run, err = h.Resume(ctx, crashThread, &host.ResumeOptions{Nodes: nodes})
	}
	if errors.Is(err, host.ErrNotFound) || errors.Is(err, host.ErrFinished) {
		g, loadErr := h.Load(ctx, filepath.Join(dir, "workflow.yaml"), &host.LoadOptions{Nodes: nodes})
		if loadErr != nil {
			return loadErr
		}
		run, err = h.Start(ctx, g, []byte(`{}`), &host.RunOptions{Thread: crashThread, IfExists: host.IfExistsResume})
	}
	if err != nil {
		return err
	}
	fmt.Println("running")
	for e := range run.Events() {
		switch e.Type {
		case host.EventNodeEnd:
			err = say("ack %d %s %s", e.Step, e.Node, e.Path)
		case host.EventStep:
			err = say("ack %d", e.Step)
		}
		if err != nil {
			return err
		}
	}
	res, err := run.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s %s\n", res.Status, res.Output)
	return h.Close(ctx)
}

// crashStore is the store of a crash loop: a folder, unless a file names another one.
func crashStore(dir string) string {
	if url, err := os.ReadFile(filepath.Join(dir, "store.url")); err == nil {
		return string(url)
	}
	return "file:" + filepath.Join(dir, "store")
}

func openStore(ctx context.Context, url string) (*checkpoint.Store, error) {
	return openurl.Store(ctx, url, nil)
}

// TestCrashLoop kills the child again and again, checks after each kill, and
// lets it finish in the end. CI and make crash run it with many more kills than
// go test alone.
func TestCrashLoop(t *testing.T) {
	kills := 10
	if s := os.Getenv(crashKills); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	began := time.Now()
	var acked, killed, threads int
	for killed < kills {
		threads++
		n, a := crashThreadOnce(t, kills-killed, filepath.Dir(project(t, crashManifest, "echo.wasm")))
		killed += n
		acked += a
	}
	t.Logf("%d kills over %d runs in %v: %d acknowledged tasks and steps, 0 lost, 0 run again", killed, threads, time.Since(began).Round(time.Millisecond), acked)
}

// crashThreadOnce runs one thread to its end over as many kills as it takes.
func crashThreadOnce(t *testing.T, most int, dir string) (killed, acked int) {
	for {
		out, dead := crashLife(t, dir, killed < most)
		acked = crashCheck(t, dir)
		if dead {
			killed++
			continue
		}
		if want := crashOutput(); out != want {
			t.Fatalf("result after %d kills:\n got %s\nwant %s", killed, out, want)
		}
		return killed, acked
	}
}

// crashOutput is what a run prints that nothing disturbs.
func crashOutput() string {
	var log []string
	for n := range crashTurns {
		log = append(log, fmt.Sprintf(`%d,%d,%d,"turn %d"`, n, n+1, n+2, n))
	}
	return "done [" + strings.Join(log, ",") + "]"
}

// crashLife runs the child once and kills it at a random moment, if asked to
// and if it still lives then.
func crashLife(t *testing.T, dir string, kill bool) (out string, dead bool) {
	t.Helper()
	cmd := child("crash", dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	at := time.AfterFunc(crashMoment(), func() { _ = cmd.Process.Kill() })
	defer at.Stop()
	leased := !strings.HasPrefix(crashStore(dir), "file:")
	if !kill || leased { // it may wait for a lease: what is to be killed is the run
		at.Stop()
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if out = lines.Text(); kill && leased && out == "running" {
			at.Reset(crashMoment())
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out, false
	case errors.As(err, &exit) && !exit.Exited():
		return "", true
	}
	t.Fatalf("child: %v\n%s", err, stderr.String())
	return "", false
}

// crashMoment is when to kill: mostly while the run goes on, sometimes while
// the process starts.
func crashMoment() time.Duration {
	return 5*time.Millisecond + time.Duration(rand.Int64N(int64(80*time.Millisecond)))
}

// crashCheck compares the witness with what the store holds.
func crashCheck(t *testing.T, dir string) (acked int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "witness"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	ack := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		kind, what, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case kind == "ack":
			ack[what] = true
		case ack[what]:
			t.Fatalf("%s ran after its end was acknowledged:\n%s", what, b)
		}
	}
	if len(ack) == 0 {
		return 0
	}
	have := crashHave(t, dir)
	for what := range ack {
		if !have[what] {
			t.Fatalf("lost: %q was acknowledged and is not in the store", what)
		}
	}
	return len(ack)
}

// crashHave reads what the store holds, as the witness words it.
func crashHave(t *testing.T, dir string) map[string]bool {
	t.Helper()
	s, err := openurl.Store(t.Context(), crashStore(dir), &openurl.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	have := map[string]bool{}
	for rec, err := range s.Records(t.Context(), crashThread) {
		if err != nil {
			t.Fatal(err)
		}
		evs, err := host.RecordEvents(rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range evs {
			switch e.Type {
			case host.EventNodeEnd:
				have[fmt.Sprintf("%d %s %s", e.Step, e.Node, e.Path)] = true
			case host.EventStep:
				have[strconv.Itoa(e.Step)] = true
			}
		}
	}
	return have
}
