package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/guest"
)

// Compiling cannot be stopped and may take any amount of time and memory, so that this program compiles modules in a
// child of itself. The child reads
//
//	length u64, little endian | the module
//
// and what comes after that tells it whether the parent lives: at the end of its input it ends too. It leaves the machine
// code in a folder, and prints one line of JSON if the compiler refuses the module. Its limits are the kernel's where there
// are any (memory: Linux); the parent has a clock.

// compileName is the hidden command that the child runs.
const compileName = "compile-module"

// wallFactor is how much longer than its limit of processor time a child may take.
const wallFactor = 2

// compiler gives what the host compiles modules with, nil where this program cannot be run again.
func (a *app) compiler() func(context.Context, *guest.CompileJob) error {
	if a.Program == "" {
		return nil
	}
	return func(ctx context.Context, job *guest.CompileJob) error {
		c := &child{job: job, program: a.Program}
		return c.compile(ctx)
	}
}

// child is one compilation, seen from the parent.
type child struct {
	job     *guest.CompileJob
	program string
	cmd     *exec.Cmd
	stdout  bytes.Buffer
	stderr  bytes.Buffer
}

// refused is what a child prints of a module that the compiler does not take.
type refused struct {
	Error string `json:"error"`
}

func (c *child) compile(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, wallFactor*c.job.Time)
	defer cancel()
	c.cmd = exec.CommandContext(ctx, c.program, compileName, "--dir", c.job.Dir,
		"--time", c.job.Time.String(), "--memory", strconv.FormatInt(c.job.Memory, 10))
	c.cmd.Env = []string{"GOTRACEBACK=none"}
	c.cmd.Stdout, c.cmd.Stderr = &limited{w: &c.stdout}, &limited{w: &c.stderr}
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("run %s again: %w", c.program, err)
	}
	// A child that ends early does not read all of it; how it ended says why.
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(c.job.Wasm)))
	if _, err = stdin.Write(head); err == nil {
		_, _ = stdin.Write(c.job.Wasm)
	}
	err = c.cmd.Wait()
	switch {
	case parent.Err() != nil:
		return parent.Err()
	case err == nil:
		return nil
	}
	return c.verdict(time.Since(began), ctx.Err() != nil, err)
}

// needed finds in what the Go runtime prints at its end how much memory it had, and how much more it wanted.
var needed = regexp.MustCompile(`cannot allocate (\d+)-byte block \((\d+) in use\)`)

// verdict says why a child did not end well.
func (c *child) verdict(took time.Duration, late bool, err error) error {
	state := c.cmd.ProcessState
	if line := (refused{}); state != nil && state.ExitCode() == exitFailed && json.Unmarshal(c.stdout.Bytes(), &line) == nil && line.Error != "" {
		return errors.New(line.Error)
	}
	if state != nil {
		took = max(took, state.UserTime()+state.SystemTime())
	}
	told := c.stderr.String()
	switch {
	case late || took >= c.job.Time && killed(state):
		return c.job.TimeExceeded(took)
	case starved.MatchString(told):
		return c.job.MemoryExceeded(wanted(told))
	case killed(state): // by the kernel, when the machine is out of memory
		return c.job.MemoryExceeded(0)
	}
	return fmt.Errorf("the compiling process ended with %w: %s", err, short(oneLine(errors.New(told)), 200))
}

// starved finds in it that there was no memory: as the runtime says it, of a thread that could not be made (ENOMEM is 12), or
// as the race detector does.
var starved = regexp.MustCompile(`memory|errno[=:] ?12|failed to allocate`)

func wanted(told string) int64 {
	m := needed.FindStringSubmatch(told)
	if m == nil {
		return 0
	}
	more, _ := strconv.ParseInt(m[1], 10, 64)
	had, _ := strconv.ParseInt(m[2], 10, 64)
	return more + had
}

// killed tells whether a process was ended by SIGKILL.
func killed(state *os.ProcessState) bool {
	return state != nil && strings.HasPrefix(state.String(), "signal: killed")
}

// limited keeps the beginning of what is written.
type limited struct{ w *bytes.Buffer }

// Write takes all of b, whatever is kept of it.
func (l *limited) Write(b []byte) (int, error) {
	const most = 64 << 10
	l.w.Write(b[:min(len(b), most-l.w.Len())])
	return len(b), nil
}

func (a *app) compileCommand() *cobra.Command {
	var dir string
	var limit time.Duration
	var memory int64
	c := &cobra.Command{
		Use:    compileName,
		Short:  "Compile a module for a parent process",
		Hidden: true,
		Args:   args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			if dir == "" || limit <= 0 || memory <= 0 {
				return &usageError{Text: compileName + ": --dir, --time and --memory are missing: dashhost runs this command itself"}
			}
			return a.compileModule(c.Context(), dir, limit, memory)
		},
	}
	fl := c.Flags()
	fl.StringVar(&dir, "dir", "", "leave the machine code in `DIR`")
	fl.DurationVar(&limit, "time", 0, "take no more than `TIME` of the processors")
	fl.Int64Var(&memory, "memory", 0, "take no more than so many `BYTES`")
	return c
}

// compileModule is the child.
func (a *app) compileModule(ctx context.Context, dir string, limit time.Duration, memory int64) error {
	signal.Ignore(os.Interrupt) // which a terminal sends to the parent as well, who decides
	debug.SetMemoryLimit(memory / 4 * 3)
	if err := limitProcess(limit, memory); err != nil {
		return err
	}
	wasm, err := a.readJob()
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, a.Stdin)
		a.Exit(exitStopped) // the parent is gone
	}()
	if err := guest.CompileTo(ctx, wasm, dir); err != nil {
		line, jerr := json.Marshal(refused{Error: err.Error()})
		if jerr != nil {
			return jerr
		}
		a.printf("%s\n", line)
		return &exitError{code: exitFailed}
	}
	return nil
}

// readJob reads the module to compile.
func (a *app) readJob() ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(a.Stdin, head[:]); err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	size := binary.LittleEndian.Uint64(head[:])
	if size > math.MaxInt32 {
		return nil, fmt.Errorf("stdin: a module of %d bytes", size)
	}
	wasm := make([]byte, size)
	if _, err := io.ReadFull(a.Stdin, wasm); err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	return wasm, nil
}
