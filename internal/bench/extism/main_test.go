package main

import "testing"

// The yardsticks answer as ours does: a comparison of calls that fail says nothing.
func TestAllThreeEcho(t *testing.T) {
	b := &bench{root: "../../.."}
	wasm, err := b.wasm("guest/testdata/echo.wasm")
	if err != nil {
		t.Fatal(err)
	}
	input := []byte(`{"a":"bcd123456789"}....`)
	ours, err := newOurs(t.Context(), wasm, reset, input)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := newBare(t.Context(), wasm, input)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := newExtism(t.Context(), "echo", input)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []func() error{ours.call, bare.call, theirs.call} {
		if err := call(); err != nil {
			t.Error(err)
		}
	}
	if string(ours.h.output) != string(input) || string(bare.output) != string(input) {
		t.Errorf("%q, bare %q", ours.h.output, bare.output)
	}
}
