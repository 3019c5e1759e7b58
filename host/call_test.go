package host_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host"
)

// TestCallModule: what a module says, however it says it, comes back as it is.
func TestCallModule(t *testing.T) {
	h, err := host.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	const noJSON = "not JSON \x00\xff"
	for _, c := range []struct {
		guest  string
		o      *host.CallOptions
		output string
		code   string // of the error, "" = none
	}{
		{"echo", &host.CallOptions{Input: []byte(noJSON)}, noJSON, ""},
		{"echo", nil, "", ""},
		{"say", &host.CallOptions{Config: []byte(`{"a":1}`)}, `{"a":1}`, ""},
		{"fail", nil, "", "no_luck"},
		{"trap", nil, "", "trap"},
		{"spin", &host.CallOptions{Deadline: 30 * time.Millisecond}, "", "deadline"},
	} {
		r, err := h.CallModule(t.Context(), c.guest, testGuest(t, c.guest), c.o)
		if err != nil {
			t.Errorf("%s: %v", c.guest, err)
			continue
		}
		if string(r.Output) != c.output {
			t.Errorf("%s: output %q, want %q", c.guest, r.Output, c.output)
		}
		code := ""
		if r.Err != nil {
			code = r.Err.Code
		}
		if code != c.code {
			t.Errorf("%s: error %v, want code %q", c.guest, r.Err, c.code)
		}
	}
}

// TestCallModuleErrors: what never was called has no result.
func TestCallModuleErrors(t *testing.T) {
	h, err := host.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var refused *guest.LoadError
	if r, err := h.CallModule(t.Context(), "alien", testGuest(t, "alien"), nil); r != nil || !errors.As(err, &refused) || refused.Module != "alien" {
		t.Errorf("%v, %v, want a LoadError of module alien", r, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := h.CallModule(ended, "spin", testGuest(t, "spin"), nil); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v, want the context's error", r, err)
	}
	if err := h.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r, err := h.CallModule(t.Context(), "echo", testGuest(t, "echo"), nil); r != nil || !errors.Is(err, host.ErrClosed) {
		t.Errorf("%v, %v, want an error of a closed host", r, err)
	}
}

func testGuest(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../cmd/dashhost/testdata/guests/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
