package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// maxConditionText is how many bytes an expression may have.
const maxConditionText = 8 << 10

// ErrConditionCost is what a ConditionError wraps when an evaluation was ended
// because it did or read too much.
var ErrConditionCost = errors.New("condition is too costly")

// ConditionError is a condition that could not be compiled or answered.
type ConditionError struct {
	Pos    Pos // of the expression, or of the place in it that is wrong
	Source string
	Err    error
}

// Error names the expression and the cause.
func (e *ConditionError) Error() string {
	return fmt.Sprintf("condition %q: %v", clip(e.Source, 80), e.Err)
}

// Unwrap returns the cause.
func (e *ConditionError) Unwrap() error { return e.Err }

// Condition is a CEL expression over channels that gives true or false. It is
// immutable and safe for concurrent use.
//
// A channel's JSON is looked at only as far as the expression goes. Numbers
// are int where they are written as an integer that fits 64 bits, else uint
// where they fit that, else double; comparisons between the three are exact in
// meaning (1 == 1.0), arithmetic between them is an error.
type Condition struct {
	Source   string
	Pos      Pos
	Channels []string // those the expression names, sorted

	program cel.Program
	zero    map[string][]byte // of Channels
	work    int64             // that one evaluation may take
}

// CompileCondition checks an expression over the given channels. The error is
// a *ConditionError without a place.
func CompileCondition(source string, channels []*Channel) (*Condition, error) {
	cc := newConditionCompiler(channels)
	c, bad := cc.compile(source)
	if len(bad) > 0 {
		return nil, &ConditionError{Source: source, Err: errors.New(bad[0].text)}
	}
	return c, nil
}

// Eval answers the condition. get returns the raw JSON of a channel, nil if it
// was never written (the condition then sees Reducer.Zero). The bytes must be
// valid JSON and stay unchanged during the call. The error is a
// *ConditionError: a missing key, operands that do not fit, an answer that is
// not true or false, or, wrapping ErrConditionCost, too much work.
func (c *Condition) Eval(get func(channel string) []byte) (bool, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m := &meter{left: c.work, cancel: cancel}
	out, _, err := c.program.ContextEval(ctx, &activation{condition: c, get: get, meter: m})
	switch {
	case m.left < 0:
		return false, c.fail(ErrConditionCost)
	case err != nil:
		return false, c.fail(err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, c.fail(fmt.Errorf("expected true or false, got %s", out.Type().TypeName()))
	}
	return bool(b), nil
}

func (c *Condition) fail(err error) error {
	return &ConditionError{Pos: c.Pos, Source: c.Source, Err: err}
}

// activation hands channels to CEL, each decoded at most once a call.
type activation struct {
	condition *Condition
	get       func(string) []byte
	meter     *meter
	values    map[string]any
}

// Parent implements interpreter.Activation.
func (*activation) Parent() interpreter.Activation { return nil }

// ResolveName implements interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	if name == meterName {
		return a.meter, true
	}
	if v, ok := a.values[name]; ok {
		return v, true
	}
	zero, ok := a.condition.zero[name]
	if !ok {
		return nil, false
	}
	raw := a.get(name)
	if raw == nil {
		raw = zero
	}
	v := (&decoder{a.meter}).value(raw)
	if a.values == nil {
		a.values = make(map[string]any, len(a.condition.zero))
	}
	a.values[name] = v
	return v, true
}

// conditionCompiler compiles the conditions of one manifest.
type conditionCompiler struct {
	channels map[string]*Channel
	env      *cel.Env // made when first needed
	err      error
}

func newConditionCompiler(channels []*Channel) *conditionCompiler {
	cc := &conditionCompiler{channels: make(map[string]*Channel, len(channels))}
	for _, ch := range channels {
		cc.channels[ch.Name] = ch
	}
	return cc
}

// conditionFault is one thing wrong with an expression.
type conditionFault struct {
	offset int // in characters from the start of the expression
	text   string
	hint   string
}

func (cc *conditionCompiler) environment() (*cel.Env, error) {
	if cc.env == nil && cc.err == nil {
		opts := []cel.EnvOption{
			cel.CrossTypeNumericComparisons(true),
			cel.DefaultUTCTimeZone(true),
			cel.ParserRecursionLimit(64),
			cel.ParserExpressionSizeLimit(maxConditionText),
			cel.RegexProgramSizeLimit(1000),
		}
		for name := range cc.channels {
			opts = append(opts, cel.Variable(name, cel.DynType))
		}
		cc.env, cc.err = cel.NewEnv(opts...)
	}
	return cc.env, cc.err
}

func (cc *conditionCompiler) compile(source string) (*Condition, []conditionFault) {
	if strings.TrimSpace(source) == "" {
		return nil, []conditionFault{{text: "expected an expression, found nothing", hint: `write one over channels, such as "size(files) == 0"`}}
	}
	if len(source) > maxConditionText {
		return nil, []conditionFault{{text: fmt.Sprintf("expected at most %d bytes, found %d", maxConditionText, len(source)), hint: "let a node compute it and write the answer to a channel"}}
	}
	env, err := cc.environment()
	if err != nil {
		return nil, []conditionFault{{text: err.Error()}}
	}
	ast, iss := env.Compile(source)
	if iss.Err() != nil {
		return nil, cc.faultsOf(source, iss)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, []conditionFault{{text: fmt.Sprintf("expected true or false, found %s", t), hint: "compare it with something"}}
	}
	program, err := env.Program(ast, cel.CustomDecoratorV2(metered), cel.InterruptCheckFrequency(interruptEvery), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []conditionFault{{text: err.Error()}}
	}
	c := &Condition{Source: source, program: program, work: maxConditionWork, zero: make(map[string][]byte)}
	for _, ref := range ast.NativeRep().ReferenceMap() {
		if ch := cc.channels[ref.Name]; ch != nil && c.zero[ch.Name] == nil {
			c.zero[ch.Name] = []byte(ch.Reduce.Zero())
			c.Channels = append(c.Channels, ch.Name)
		}
	}
	slices.Sort(c.Channels)
	return c, nil
}

// faultsOf turns CEL's issues into ours. After a syntax error the parser
// guesses, so only the first is of use.
func (cc *conditionCompiler) faultsOf(source string, iss *cel.Issues) []conditionFault {
	var out []conditionFault
	for _, e := range iss.Errors() {
		f := conditionFault{offset: offsetOf(source, e.Location.Line(), e.Location.Column()), text: e.Message}
		syntax, isSyntax := strings.CutPrefix(e.Message, "Syntax error: ")
		name, isName := undeclared(e.Message)
		switch {
		case isSyntax:
			return []conditionFault{syntaxFault(f.offset, syntax)}
		case isName && calledAt(source, f.offset):
			f.text = fmt.Sprintf("expected a function, found %q", name)
			f.hint = didYouMean(name, celFunctions())
		case isName:
			f.text = fmt.Sprintf("expected a channel, found %q", name)
			f.hint = didYouMean(name, keysOf(cc.channels))
		case strings.HasPrefix(e.Message, "reserved identifier"):
			f.hint = "the language of conditions keeps this word; give the channel another name"
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		out = append(out, conditionFault{text: iss.Err().Error()})
	}
	return out
}

func syntaxFault(offset int, message string) conditionFault {
	f := conditionFault{offset: offset}
	if strings.HasPrefix(message, "token recognition error at: '=") {
		f.hint = "compare with =="
	}
	message, _, _ = strings.Cut(message, " expecting ")
	message = strings.Replace(message, "mismatched input", "unexpected", 1)
	f.text = "invalid CEL: " + strings.ReplaceAll(message, "'<EOF>'", "end of the expression")
	return f
}

// undeclared returns the name in CEL's message about an unknown reference. The
// library has no other form for it; a message that changes only loses a hint.
func undeclared(message string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(message, "undeclared reference to '")
	if !ok {
		return "", false
	}
	name, _, ok = strings.Cut(rest, "'")
	return name, ok
}

// calledAt reports whether CEL points at the bracket of a call.
func calledAt(source string, offset int) bool {
	runes := []rune(source)
	return offset < len(runes) && runes[offset] == '('
}

// celFunctions are the functions and macros that people look for.
func celFunctions() []string {
	return []string{
		"size", "has", "all", "exists", "exists_one", "filter", "map", "contains", "startsWith", "endsWith", "matches",
		"int", "uint", "double", "string", "bool", "bytes", "type", "dyn", "duration", "timestamp",
	}
}

// offsetOf turns a CEL line (from 1) and column (from 0, characters) into an
// offset in characters.
func offsetOf(source string, line, col int) int {
	runes := []rune(source)
	at := 0
	for ; line > 1 && at < len(runes); at++ {
		if runes[at] == '\n' {
			line--
		}
	}
	return min(at+max(col, 0), len(runes))
}
