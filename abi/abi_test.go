package abi

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"testing"
)

func TestTableIsConsistent(t *testing.T) {
	all := Functions()
	if len(all) != int(FuncCount) {
		t.Fatalf("%d functions, %d IDs", len(all), FuncCount)
	}
	name := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := make(map[string]bool)
	for i, f := range all {
		if f.ID != FuncID(i) || ByID(f.ID).Name != f.Name || f.ID.String() != f.Name {
			t.Errorf("%s: ID %d at place %d", f.Name, f.ID, i)
		}
		if got, ok := Lookup(f.Name); !ok || got != ByID(f.ID) {
			t.Errorf("%s: Lookup gives %v", f.Name, got)
		}
		if !name.MatchString(f.Name) || seen[f.Name] {
			t.Errorf("name %q: bad, or there twice", f.Name)
		}
		seen[f.Name] = true
		if f.Group == "" || f.Doc == "" {
			t.Errorf("%s: no group or no text", f.Name)
		}
		if len(f.Args) != len(f.Params) || len(f.Results) > 1 {
			t.Errorf("%s: %d names for %d parameters, %d results", f.Name, len(f.Args), len(f.Params), len(f.Results))
		}
		if f.Phases&PhaseRun == 0 || f.Phases&^(PhaseStart|PhaseRun) != 0 {
			t.Errorf("%s: phases %v", f.Name, f.Phases)
		}
		if f.Effect >= EffectCount || f.Effect != EffectNone && f.Grant == GrantNone {
			t.Errorf("%s: effect %v with grant %q", f.Name, f.Effect, f.Grant)
		}
		checkKind(t, &f)
		checkArgs(t, &f)
	}
	if _, ok := Lookup("input_reader"); ok {
		t.Error("Lookup finds what is not there")
	}
}

// checkKind wants (buf, cap) and an i32 result exactly where the kind promises them.
func checkKind(t *testing.T, f *Func) {
	t.Helper()
	i := slices.Index(f.Args, "cap")
	hasBuffer := i > 0 && f.Args[i-1] == "buf"
	if (f.Kind == Plain) == hasBuffer {
		t.Errorf("%s: kind %v with parameters %v", f.Name, f.Kind, f.Args)
	}
	if f.Kind != Plain && !slices.Equal(f.Results, []ValueType{I32}) {
		t.Errorf("%s: kind %v with result %v", f.Name, f.Kind, f.Results)
	}
}

// checkArgs wants every pointer to be followed by its length, and both to be i32.
func checkArgs(t *testing.T, f *Func) {
	t.Helper()
	pointer := regexp.MustCompile(`^([a-z]?)ptr$`)
	for i, a := range f.Args {
		m := pointer.FindStringSubmatch(a)
		if m == nil {
			continue
		}
		if i+1 == len(f.Args) || f.Args[i+1] != m[1]+"len" || f.Params[i] != I32 || f.Params[i+1] != I32 {
			t.Errorf("%s: parameter %s has no length of its own after it", f.Name, a)
		}
	}
}

func TestStartPhaseIsWhatTheSpecAllows(t *testing.T) {
	var got []string
	for _, f := range Functions() {
		if f.Phases&PhaseStart != 0 {
			got = append(got, f.Name)
		}
	}
	want := []string{"config_read", "fail", "last_error", "log", "log_enabled", "clock_now", "random"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFunctionsIsACopy(t *testing.T) {
	Functions()[0].Name = "spoilt"
	if Functions()[0].Name == "spoilt" {
		t.Error("a caller can change the table")
	}
}

func TestWASIIsConsistent(t *testing.T) {
	all := WASI()
	if !slices.IsSortedFunc(all, func(a, b WASIFunc) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}) {
		t.Error("not in order, or a name twice")
	}
	for _, f := range all {
		got, ok := LookupWASI(f.Name)
		if !ok || got.Name != f.Name {
			t.Errorf("LookupWASI(%q) = %v", f.Name, got)
		}
	}
	if _, ok := LookupWASI("fd_writ"); ok {
		t.Error("LookupWASI finds what is not there")
	}
}

func TestError(t *testing.T) {
	err := error(Errorf(Denied, "kv_get: %w", io.EOF))
	if got, want := err.Error(), "denied: kv_get: EOF"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if !errors.Is(err, &Error{Errno: Denied}) || errors.Is(err, &Error{Errno: Invalid}) || errors.Is(err, io.EOF) {
		t.Error("an Error is equal by number, and by number only")
	}
	for _, c := range []struct {
		err  error
		want Errno
	}{
		{nil, 0},
		{err, Denied},
		{fmt.Errorf("outside: %w", err), Denied},
		{errors.Join(io.EOF, err), Denied},
		{io.EOF, Internal},
	} {
		if got := ErrnoOf(c.err); got != c.want {
			t.Errorf("ErrnoOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
	if got := (&Error{Errno: Full}).Error(); got != "full" {
		t.Errorf("without text: %q", got)
	}
}

// Numbers outside the tables print as such and never as a known name.
func TestUnknownNumbers(t *testing.T) {
	for _, c := range []struct {
		got  fmt.Stringer
		want string
	}{
		{Errno(9), "errno 9"},
		{Errno(-1), "errno -1"},
		{Status(4), "status 4"},
		{Phase(8), "phase 8"},
		{Kind(9), "kind 9"},
		{Effect(200), "effect 200"},
		{FuncID(255), "function 255"},
		{ValueType(0x7b), "type 123"},
	} {
		if c.got.String() != c.want {
			t.Errorf("%#v prints %q, want %q", c.got, c.got, c.want)
		}
	}
	for in, want := range map[Level]Level{-1: LevelError, 0: LevelTrace, 3: LevelWarn, 4: LevelError, 5: LevelError} {
		if got := in.Clamp(); got != want {
			t.Errorf("Level(%d).Clamp() = %d, want %d", in, got, want)
		}
	}
}

func TestLimitsAreConsistent(t *testing.T) {
	seen := make(map[string]bool)
	for _, l := range Limits() {
		if l.Default <= 0 || l.Doc == "" || l.Gives == "" || seen[l.Name] {
			t.Errorf("limit %+v: empty, or there twice", l)
		}
		seen[l.Name] = true
		if l.Unit == "bytes" && l.Default > MaxSize {
			t.Errorf("limit %s: %d bytes cannot cross the boundary", l.Name, l.Default)
		}
	}
}
