package guest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/dashhost/dashhost/abi"
)

// PageSize is the unit of a guest's memory in bytes.
const PageSize = 64 << 10

// Limits of one node's calls. Zero in a field means its default, see [DefaultLimits]. Sizes are bytes.
// The names in typed errors and in texts for the guest are those of abi.Limits.
type Limits struct {
	ModuleBytes int64 // the module itself
	Memory      int64 // linear memory of one instance, rounded down to whole pages
	Input       int64 // the input of a call
	Output      int64 // one output_write; more ends the call
	HostArg     int64 // one argument or result of another host function, but not the input; more is -too_large
	Stack       int64 // call stack, as package meter estimates frames; some 64 KiB more may be used before it ends a call
	LogBytes    int64 // log, standard output and standard error of one call; more is dropped and counted

	Table uint32 // elements of all tables; table.grow beyond gives -1

	Fuel      uint64 // units of work of one dash_run: about one an instruction, see package meter
	StartFuel uint64 // units of work of start section, _initialize and dash_start together

	Deadline      time.Duration // one dash_run
	StartDeadline time.Duration // start section, _initialize and dash_start together
}

// DefaultLimits gives what a zero field of [Limits] means.
func DefaultLimits() Limits {
	return Limits{
		ModuleBytes:   abi.DefaultModule,
		Memory:        abi.DefaultMemory,
		Input:         abi.DefaultInput,
		Output:        abi.DefaultOutput,
		HostArg:       abi.DefaultArgument,
		Stack:         abi.DefaultStack,
		LogBytes:      abi.DefaultLog,
		Fuel:          abi.DefaultFuel,
		StartFuel:     abi.DefaultStartFuel,
		Table:         abi.DefaultTable,
		Deadline:      abi.DefaultDeadline,
		StartDeadline: abi.DefaultStartDeadline,
	}
}

// withDefaults fills in the zero fields and checks the others. All faults are reported at once.
func (l Limits) withDefaults() (Limits, error) {
	var faults []error
	size := func(name string, v *int64, def, lowest, highest int64) {
		if *v == 0 {
			*v = def
		} else if *v < lowest || *v > highest {
			faults = append(faults, fmt.Errorf("limit %s: %d is not between %d and %d", name, *v, lowest, highest))
		}
	}
	d := DefaultLimits()
	size("module", &l.ModuleBytes, d.ModuleBytes, 8, abi.MaxSize)
	size("memory", &l.Memory, d.Memory, PageSize, 1<<32)
	size("input", &l.Input, d.Input, 1, abi.MaxSize)
	size("output", &l.Output, d.Output, 1, abi.MaxSize)
	size("argument", &l.HostArg, d.HostArg, 1, abi.MaxSize)
	size("stack", &l.Stack, d.Stack, PageSize, engineStack)
	size("log", &l.LogBytes, d.LogBytes, 1, math.MaxInt64)
	size("deadline", (*int64)(&l.Deadline), int64(d.Deadline), 1, math.MaxInt64)
	size("start_deadline", (*int64)(&l.StartDeadline), int64(d.StartDeadline), 1, math.MaxInt64)
	if l.Table == 0 {
		l.Table = d.Table
	}
	if l.Fuel == 0 {
		l.Fuel = d.Fuel
	}
	if l.StartFuel == 0 {
		l.StartFuel = d.StartFuel
	}
	return l, errors.Join(faults...)
}

// breach makes the error for a limit of the table in package abi, with the manifest field that raises it.
func breach(name string, highest, got int64) *LimitError {
	e := &LimitError{Limit: name, Max: highest, Got: got}
	for _, l := range abi.Limits() {
		if l.Name == name {
			e.Field = l.Field
		}
	}
	return e
}
