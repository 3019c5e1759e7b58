package workflow

import (
	"context"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// An evaluation is bounded by what it does, not by a clock, so that it ends the
// same on every machine. Each value that a part of the expression gives costs
// its length, because what is done with it next takes time in proportion; so
// does JSON that is looked at. CEL's own cost tracking is not used: it keeps
// every step of a loop on a stack that it searches, 6 s for 50,000 elements.
const (
	maxConditionWork = 4 << 30 // about a nanosecond each: some seconds
	stepWork         = 128     // of a value without a length
	valueWork        = 64      // of a JSON value that is looked at, beside its length
	matchWork        = 64      // of a byte that a regular expression looks at
	interruptEvery   = 16      // iterations
)

// meterName is what the parts of an expression find their meter under. No
// channel can be called so.
const meterName = "#meter"

// meter counts the work of one evaluation.
type meter struct {
	left   int64 // < 0 = too much was asked
	cancel context.CancelFunc
}

// spend takes n off what is left and says whether it was there. When it was
// not, it ends the loops of the expression, which would go on over errors.
func (m *meter) spend(n int) bool {
	if m.left < 0 {
		return false
	}
	if m.left -= int64(n); m.left < 0 {
		m.cancel()
	}
	return m.left >= 0
}

// charge charges the evaluation behind vars for a value.
func charge(vars interpreter.Activation, v ref.Val, weight int) ref.Val {
	found, ok := vars.ResolveName(meterName)
	m, isMeter := found.(*meter)
	if !ok || !isMeter {
		return v // constants are folded before there is an evaluation
	}
	n := stepWork
	switch v := v.(type) {
	case types.String:
		n += len(v) * weight
	case types.Bytes:
		n += len(v) * weight
	}
	if !m.spend(n) {
		return tooCostly()
	}
	return v
}

// metered decorates the parts of a program that give values.
func metered(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch i := i.(type) {
	case *meteredAttribute, *meteredCall:
		return i, nil
	case interpreter.InterpretableAttribute:
		return &meteredAttribute{i, 1}, nil
	case interpreter.InterpretableCall:
		if i.Function() == overloads.Matches {
			weigh(i.Args(), matchWork)
		}
		if i.Function() == operators.Conditional {
			return i, nil // gives what one of its branches gave
		}
		return &meteredCall{i, 1}, nil
	}
	return i, nil
}

func weigh(args []interpreter.InterpretableV2, weight int) {
	for _, a := range args {
		switch a := a.(type) {
		case *meteredAttribute:
			a.weight = weight
		case *meteredCall:
			a.weight = weight
		}
	}
}

// meteredAttribute is a variable, with what is selected from it.
type meteredAttribute struct {
	interpreter.InterpretableAttribute
	weight int
}

// Exec implements interpreter.InterpretableV2.
func (a *meteredAttribute) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return charge(frame, a.InterpretableAttribute.Exec(frame), a.weight)
}

// Eval implements interpreter.Interpretable.
func (a *meteredAttribute) Eval(vars interpreter.Activation) ref.Val {
	return a.Exec(interpreter.AsFrame(vars))
}

// meteredCall is a function or operator.
type meteredCall struct {
	interpreter.InterpretableCall
	weight int
}

// Exec implements interpreter.InterpretableV2.
func (c *meteredCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return charge(frame, c.InterpretableCall.Exec(frame), c.weight)
}

// Eval implements interpreter.Interpretable.
func (c *meteredCall) Eval(vars interpreter.Activation) ref.Val {
	return c.Exec(interpreter.AsFrame(vars))
}
