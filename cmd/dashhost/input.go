package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/host/workflow"
)

// inputFlags say where a run's input comes from.
type inputFlags struct {
	file    string // "-" = stdin
	json    string
	hasFile bool // the flag was given
	hasJSON bool
}

// check refuses what cannot be meant.
func (f *inputFlags) check() error {
	switch {
	case f.hasFile && f.hasJSON:
		return &usageError{Text: "--input and --input-json: both given", Hints: []string{"give one"}}
	case f.hasFile && f.file == "":
		return &usageError{Text: "--input: the path is empty", Hints: []string{"--input FILE, or --input - for stdin"}}
	case f.hasJSON && f.json == "":
		return &usageError{Text: "--input-json: the value is empty", Hints: []string{`a JSON value, for example --input-json '{}'`}}
	case f.hasFile && f.file != "-":
		return checkFile("input", f.file)
	}
	return nil
}

// readInput returns the input, nil when no flag names one: the run then takes the manifest's default. At most as many
// bytes are read as the state of a run may hold.
func (a *app) readInput(ctx context.Context, f *inputFlags, g *workflow.Graph) ([]byte, error) {
	switch {
	case f.hasJSON:
		return []byte(f.json), nil
	case !f.hasFile:
		return nil, nil
	}
	b, err := a.readFile(ctx, "input", f.file, g.Run.StateBytes)
	if large := (*tooLargeError)(nil); errors.As(err, &large) {
		large.Raise = fmt.Sprintf("raise run.state at %s", g.Run.Places["state"])
	}
	if err == nil && b == nil {
		b = []byte{} // nil would mean the default
	}
	return b, err
}
