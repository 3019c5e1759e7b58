package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dashhost/dashhost/guest"
)

// bomb is a module within all static bounds that takes long to compile, and a third of a gigabyte: one function whose
// hundred locals live in different places after each of 18,000 blocks.
func bomb(functions int) []byte {
	const locals, blocks = 90, 18_000
	u := func(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }
	body := []byte{1, locals, 0x7f}
	for i := range blocks {
		body = append(body, 0x20, 0, 0x04, 0x40, 0x20, byte(1+i%locals), 0x41, 1, 0x6a, 0x21, byte(1+i*7%locals), 0x0b)
	}
	body = append(body, 0x41, 0)
	for i := range locals {
		body = append(body, 0x20, byte(1+i), 0x6a)
	}
	body = append(body, 0x0b)
	code, types := u(nil, functions), u(nil, functions)
	for range functions {
		code = append(u(code, len(body)), body...)
		types = append(types, 0)
	}
	section := func(b []byte, id byte, content []byte) []byte {
		return append(u(append(b, id), len(content)), content...)
	}
	b := []byte("\x00asm\x01\x00\x00\x00")
	b = section(b, 1, []byte("\x01\x60\x01\x7f\x01\x7f"))
	b = section(b, 3, types)
	b = section(b, 5, []byte("\x01\x00\x01"))
	b = section(b, 7, []byte("\x02\x06memory\x02\x00\x08dash_run\x00\x00"))
	return section(b, 10, code)
}

// program makes this test binary runnable as dashhost, see TestMain.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "dashhost")
	if err := os.Symlink(self, link); err != nil {
		t.Skip(err)
	}
	return link
}

func openCompiling(t *testing.T, program string) *guest.Runtime {
	t.Helper()
	a := &app{environ: &environ{Program: program}}
	r, err := guest.Open(t.Context(), &guest.Options{CacheDir: t.TempDir(), Compile: a.compiler()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestCompileBombs(t *testing.T) {
	r := openCompiling(t, program(t))
	for _, c := range []struct {
		limit   string
		options guest.ModuleOptions
		max     int64
	}{
		{"compile_time", guest.ModuleOptions{CompileTime: 400 * time.Millisecond}, 400_000},
		{"compile_memory", guest.ModuleOptions{CompileMemory: 160 << 20}, 160 << 20},
	} {
		if c.limit == "compile_memory" && runtime.GOOS != "linux" {
			continue // see limitProcess
		}
		began := time.Now()
		_, err := r.Load(t.Context(), bomb(4), &c.options)
		var load *guest.LoadError
		var limit *guest.LimitError
		if !errors.As(err, &load) || load.Hint == "" || !errors.As(err, &limit) || limit.Limit != c.limit || limit.Max != c.max ||
			limit.Got <= limit.Max || limit.Field != "bounds."+c.limit {
			t.Errorf("%s: %v", c.limit, err)
		}
		t.Logf("%v after %v", err, time.Since(began))
	}
}

// TestCompilerRefuses: what the compiler says of a module is the same from a child.
func TestCompilerRefuses(t *testing.T) {
	wasm, err := os.ReadFile("../../guest/testdata/typefault.wasm")
	if err != nil {
		t.Fatal(err)
	}
	r := openCompiling(t, program(t))
	_, err = r.Load(t.Context(), wasm, nil)
	here, oerr := guest.Open(t.Context(), nil)
	if oerr != nil {
		t.Fatal(oerr)
	}
	defer func() { _ = here.Close(context.Background()) }()
	_, want := here.Load(t.Context(), wasm, nil)
	if err == nil || want == nil || err.Error() != want.Error() {
		t.Errorf("got %v\nwant %v", err, want)
	}
}

// TestCompilerCrashes: a program that is no compiler, or ends in another way.
func TestCompilerCrashes(t *testing.T) {
	script := filepath.Join(t.TempDir(), "odd")
	for text, want := range map[string]string{
		"echo out of ideas >&2; exit 3": "ended with exit status 3: out of ideas",
		"kill -9 $$":                    "compile_memory",
		"exit 0":                        "nothing is in",
	} {
		if err := os.WriteFile(script, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := openCompiling(t, script).Load(t.Context(), bomb(1), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := openCompiling(t, filepath.Join(t.TempDir(), "none")).Load(t.Context(), bomb(1), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

// TestCompilerEndsWithItsParent: a child whose input ends is gone, however busy it is.
func TestCompilerEndsWithItsParent(t *testing.T) {
	cmd := exec.Command(program(t), compileName, "--dir", t.TempDir(), "--time", "1h", "--memory", strconv.Itoa(1<<30))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wasm := bomb(20)
	_, err = stdin.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(wasm))), wasm...))
	if err := errors.Join(err, stdin.Close()); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitStopped {
		t.Errorf("got %v: %s", err, stderr.String())
	}
}

// TestCompilerIsCancelled with the host that it works for.
func TestCompilerIsCancelled(t *testing.T) {
	r := openCompiling(t, program(t))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := r.Load(ctx, bomb(20), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	began := time.Now()
	if err := r.Close(t.Context()); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("closed after %v, %v", time.Since(began), err)
	}
}

func TestCompileMisuse(t *testing.T) {
	for name, input := range map[string]string{"empty": "", "short": "\x05\x00\x00\x00\x00\x00\x00\x00ab", "huge": "\xff\xff\xff\xff\xff\xff\xff\xff"} {
		a := &app{environ: &environ{Stdin: strings.NewReader(input)}}
		if _, err := a.readJob(); err == nil || !strings.HasPrefix(err.Error(), "stdin: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWantedMemory(t *testing.T) {
	for told, want := range map[string]int64{
		"runtime: out of memory: cannot allocate 4194304-byte block (133169152 in use)\nfatal error: out of memory": 137363456,
		"fatal error: runtime: cannot allocate memory":                                                              0,
		"": 0,
	} {
		if got := wanted(told); got != want {
			t.Errorf("%s: %d, want %d", fmt.Sprintf("%.20q", told), got, want)
		}
	}
}
