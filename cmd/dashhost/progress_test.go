package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashhost/dashhost/host"
)

// TestCompilingShows: nothing for what is quick, then the modules that are being compiled, and nothing is left behind.
func TestCompilingShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &watcher{}
		c := compiling{talk: &talk{w: b, terminal: true}}
		c.progress("quick", false)
		c.progress("quick", true)
		c.progress("a", false)
		c.progress("b", false)
		time.Sleep(slow / 2)
		synctest.Wait()
		if b.String() != "" {
			t.Errorf("after half a moment: %q", b.String())
		}
		time.Sleep(slow)
		synctest.Wait()
		c.progress("a", true)
		c.progress("b", true)
		c.end()
		if want := "compiling a, b\r\x1b[Kcompiling b\r\x1b[K"; b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
	})
}

// TestStepLines: one line a step with its nodes in the order in which they ended, retries told a few times only.
func TestStepLines(t *testing.T) {
	var b bytes.Buffer
	s := steps{talk: &talk{w: &b}}
	for range 5 {
		s.event(&host.Event{Type: host.EventNodeRetry, Node: "net", Path: "1", Attempt: 1, Err: &host.Error{Code: "unavailable", Message: "try\nlater"}})
	}
	for _, n := range []string{"split", "net", "net", "net"} {
		s.event(&host.Event{Type: host.EventNodeEnd, Node: n})
	}
	s.event(&host.Event{Type: host.EventStep, Step: 7, Duration: 1500 * time.Millisecond, Checkpoint: "01ABC"})
	s.event(&host.Event{Type: host.EventNodeEnd, Node: "last"})
	s.event(&host.Event{Type: host.EventStep, Step: 8, Duration: time.Millisecond, Checkpoint: "01DEF"})
	want := strings.Repeat("retry     net[1] after attempt 1: unavailable: try later\n", maxRetryLines) +
		"step 7    split, net x3, retries: 5                        1.5s  01ABC\n" +
		"step 8    last                                              1ms  01DEF\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}

// TestPanicIsTold: a fault of the program is one line, not a stack.
func TestPanicIsTold(t *testing.T) {
	e := newEnviron(t, "version")
	e.Stdout = writerFunc(func([]byte) (int, error) { panic("oh") })
	if code := e.run(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	text := e.Stderr.(interface{ String() string }).String()
	if !strings.HasPrefix(text, "error: internal error: oh\nhint: ") || strings.Contains(text, "goroutine") {
		t.Errorf("%s", text)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestOneLine: of joined errors each thing is told once.
func TestOneLine(t *testing.T) {
	a := errors.New("thread: damaged: here")
	if got := oneLine(errors.Join(a, errors.New("damaged"), errors.New("closed"))); got != "thread: damaged: here; closed" {
		t.Errorf("%q", got)
	}
}

// TestLongStepShowsProgress: on a terminal a step that takes long shows how far it is, a few times a second, and its line takes the
// place of that.
func TestLongStepShowsProgress(t *testing.T) {
	var b bytes.Buffer
	s := steps{talk: &talk{w: &b, terminal: true}}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.event(&host.Event{Type: host.EventNodeEnd, Node: "split", Time: at})
	s.event(&host.Event{Type: host.EventStep, Step: 1, Tasks: 30, Time: at})
	b.Reset()
	for i := range 30 {
		s.event(&host.Event{Type: host.EventNodeEnd, Node: "net", Step: 2, Time: at.Add(time.Duration(i) * slow / 20)})
	}
	s.event(&host.Event{Type: host.EventStep, Step: 2, Time: at.Add(2 * slow)})
	got := strings.Split(b.String(), "\r\x1b[K")
	want := []string{"step 2    net x21, of 30", "step 2    net x25, of 30", "step 2    net x29, of 30"}
	if len(got) != len(want)+1 {
		t.Fatalf("%q", got)
	}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("%q, want %q", got[i], w)
		}
	}
	if !strings.HasPrefix(got[3], "step 2    net x30 ") {
		t.Errorf("%q", got[3])
	}
}
