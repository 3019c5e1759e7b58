package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host"
)

// callFlags are those of module call.
type callFlags struct {
	input    string
	config   string
	raw      bool
	fuel     bool
	grants   []string
	deadline time.Duration
}

// callView is what module call --json prints.
type callView struct {
	Module   string          `json:"module"`
	Status   string          `json:"status"` // done | failed
	Output   json.RawMessage `json:"output,omitempty"`
	Routes   []string        `json:"routes,omitempty"`
	Error    *host.Error     `json:"error,omitempty"`
	Duration int64           `json:"duration_us"`
	Fuel     uint64          `json:"fuel"`
	Exit     int             `json:"exit"`
}

func (a *app) moduleCallCommand() *cobra.Command {
	var f callFlags
	c := &cobra.Command{
		Use:   "call FILE",
		Short: "Call a module once, outside any workflow, and print its output",
		Long: `Call a module once, outside any workflow, and print its output. Nothing is kept. The module gets the input as a node
would: one JSON object with a member for each channel it reads.`,
		Example: `  dashhost module call split.wasm --input '{"patch": "..."}'
  dashhost module call split.wasm --input @input.json --config '{"max": 3}' --grant clock`,
		Args:              args("FILE"),
		ValidArgsFunction: completeModule,
		RunE: func(c *cobra.Command, args []string) error {
			return a.callModule(c.Context(), args[0], &f)
		},
	}
	fl := c.Flags()
	fl.StringVarP(&f.input, "input", "i", "{}", "give the module `JSON`, @FILE or - (stdin) as its input")
	fl.StringVar(&f.config, "config", "", "give it `JSON`, @FILE or - (stdin) as its configuration")
	fl.BoolVar(&f.raw, "raw", false, "pass the input as plain bytes, it need not be JSON")
	fl.BoolVar(&f.fuel, "fuel", false, "say how much fuel it used: the same number for the same input, on every run")
	fl.StringSliceVar(&f.grants, "grant", nil, "let it use `NAME`: "+strings.Join(grantNames(), ", "))
	fl.DurationVar(&f.deadline, "deadline", 0, "end the call after `TIME` (default "+guest.DefaultLimits().Deadline.String()+")")
	_ = c.RegisterFlagCompletionFunc("grant", cobra.FixedCompletions(grantNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// callGrants are the grants that need no settings of their own.
var callGrants = []abi.Grant{abi.GrantClock, abi.GrantRandom}

func grantNames() []string {
	names := make([]string, len(callGrants))
	for i, g := range callGrants {
		names[i] = string(g)
	}
	return names
}

// callOptions makes what the host takes of the flags.
func (a *app) callOptions(ctx context.Context, f *callFlags) (*host.CallOptions, error) {
	o := &host.CallOptions{Deadline: f.deadline}
	if f.deadline < 0 {
		return nil, &usageError{Text: fmt.Sprintf("--deadline %s: less than 0", f.deadline)}
	}
	for _, name := range f.grants {
		switch g := abi.Grant(name); g {
		case abi.GrantClock:
			o.Grants.Clock = true
		case abi.GrantRandom:
			o.Grants.Random = true
		case abi.GrantTelemetry, abi.GrantCheckpoint, abi.GrantKV, abi.GrantHTTP, abi.GrantInterrupts:
			return nil, &notYetError{What: "module call --grant " + name}
		default:
			return nil, &usageError{Text: "--grant " + name + ": not one of " + strings.Join(grantNames(), ", ")}
		}
	}
	var err error
	if o.Input, err = a.argument(ctx, "input", f.input, !f.raw); err != nil {
		return nil, err
	}
	if f.config != "" {
		o.Config, err = a.argument(ctx, "config", f.config, true)
	}
	return o, err
}

// maxArgument is the largest value of a flag that names a file.
const maxArgument = 1 << 30

// argument is the value of a flag that may name a file.
func (a *app) argument(ctx context.Context, flag, value string, isJSON bool) ([]byte, error) {
	b := []byte(value)
	if path, isFile := strings.CutPrefix(value, "@"); isFile || value == "-" {
		var err error
		if b, err = a.readFile(ctx, flag, path, maxArgument); err != nil {
			return nil, err
		}
	}
	if isJSON && !json.Valid(b) {
		return nil, &usageError{Text: "--" + flag + ": not JSON: " + short(string(b), 60), Hints: []string{"a JSON value, @FILE, or - for stdin"}}
	}
	return b, nil
}

func (a *app) callModule(parent context.Context, path string, f *callFlags) error {
	ctx, _, done := a.interruptible(parent)
	defer done()
	wasm, err := a.readFile(ctx, "module", path, maxModule)
	if err != nil {
		return err
	}
	o, err := a.callOptions(ctx, f)
	if err == nil {
		o.Signatures, err = signaturesOf(path)
	}
	if err != nil {
		return err
	}
	return a.withHost(ctx, "mem:", func(h *host.Host) error {
		r, err := h.CallModule(ctx, path, wasm, o)
		if err != nil {
			return err
		}
		code := exitDone
		if r.Err != nil {
			code = exitFailed
		}
		a.printCall(path, r, code, f.fuel)
		if code != exitDone {
			return &exitError{code: code}
		}
		return nil
	})
}

func (a *app) printCall(path string, r *host.CallResult, code int, fuel bool) {
	if a.flags.json {
		v := &callView{Module: path, Status: "done", Routes: r.Routes, Error: r.Err, Duration: r.Duration.Microseconds(), Fuel: r.Fuel, Exit: code}
		if r.Err != nil {
			v.Status = "failed"
		}
		if v.Output = r.Output; r.Output != nil && !json.Valid(r.Output) {
			v.Output = json.RawMessage(jsonText(string(r.Output)))
		}
		a.printJSON(v)
		return
	}
	if len(r.Output) > 0 {
		a.printf("%s\n", trimNewline(r.Output))
	}
	for _, to := range r.Routes {
		a.talk.linef("route     %s", visible(to))
	}
	if r.Err != nil {
		a.tellError(r.Err)
	}
	a.talk.linef("call      %s", durationText(r.Duration))
	if fuel {
		a.talk.linef("fuel      %d units", r.Fuel)
	}
}
