package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1 MiB", 1 << 20: "1 MiB", 5 << 30: "5 GiB", 1<<63 - 1: "8 EiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1500: "2µs", 12345 * time.Microsecond: "12.3ms", 1234567 * time.Microsecond: "1.23s", 61*time.Second + 5: "1m1s",
		-time.Second: "-1s",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
}

// TestQuote: a shell makes of the word what it was before.
func TestQuote(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	var words []string
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 })).Draw(t, "word")
		words = append(words, w)
	})
	words = append(words, "", "it's", "-q", "$HOME", "a b", "`id`", "*", "~", `\`, "#x")
	script := ""
	for _, w := range words {
		script += "printf '%s\\0' " + quote(w) + "\n"
	}
	cmd := exec.CommandContext(t.Context(), sh)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(words, "\x00") + "\x00"; string(out) != want {
		t.Errorf("the shell read %q, want %q", out, want)
	}
}

// TestProgressGivesWay: a line that is printed takes the place of a progress line, on a terminal only.
func TestProgressGivesWay(t *testing.T) {
	var b bytes.Buffer
	k := &talk{w: &b, terminal: true}
	k.progressf("compiling")
	k.linef("done")
	k.linef("more")
	if want := "compiling\r\x1b[Kdone\nmore\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	b.Reset()
	k = &talk{w: &b}
	k.progressf("compiling")
	k.clear()
	if b.Len() > 0 {
		t.Errorf("not a terminal: %q", b.String())
	}
}

// TestColor: only on a terminal, and not with NO_COLOR or a dumb one.
func TestColor(t *testing.T) {
	for _, c := range []struct {
		tty     bool
		name    string
		value   string
		colored bool
	}{
		{true, "", "", true}, {false, "", "", false}, {true, "NO_COLOR", "1", false}, {true, "TERM", "dumb", false},
	} {
		e := newEnviron(t, "nonsense")
		e.StderrTTY = c.tty
		e.vars[c.name] = c.value
		if code := e.run(); code != exitUsage {
			t.Fatalf("exit code %d", code)
		}
		text := e.Stderr.(interface{ String() string }).String()
		if got := strings.Contains(text, "\x1b["); got != c.colored {
			t.Errorf("terminal %v, %s=%s: %q", c.tty, c.name, c.value, text)
		}
	}
}

// failing is a stdout that breaks after some bytes.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, f.err
	}
	return len(b), nil
}

// TestStdoutErrors: a reader that goes away is quiet, any other fault of stdout is told and changes the exit code.
func TestStdoutErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		exit int
		text string
	}{
		{&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, exitDone, ""},
		{&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, exitFailed, "error: stdout: no space left on device\n"},
		{errors.New("odd"), exitFailed, "error: stdout: odd\n"},
	} {
		e := newEnviron(t, "schema")
		e.Stdout = &failing{left: 10, err: c.err}
		if code := e.run(); code != c.exit {
			t.Errorf("%v: exit code %d, want %d", c.err, code, c.exit)
		}
		if text := e.Stderr.(interface{ String() string }).String(); text != c.text {
			t.Errorf("%v: stderr %q, want %q", c.err, text, c.text)
		}
	}
}
