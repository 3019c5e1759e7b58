package dash

import (
	"bytes"
	"encoding/json"
)

// Node is what Serve offers to the host. Make one with Func, Configured, Raw or
// RawConfigured.
type Node struct {
	setup func(config []byte) (runner, error)
	run   runner // set by Start
}

type runner func(c *Call, input []byte) ([]byte, error)

// Func makes a node of a function on types: input is decoded into In, one member
// per channel the manifest lets it read (and "item" under each or route_send);
// Out is encoded, one member per channel written. A member of Out that shall not
// be written must be left out (omitempty, omitzero).
func Func[In, Out any](fn func(c *Call, in In) (Out, error)) *Node {
	return &Node{setup: func(config []byte) (runner, error) {
		if err := noConfig(config); err != nil {
			return nil, err
		}
		return typed(fn), nil
	}}
}

// Configured makes a node whose function is built once, in the start phase, from
// the node's config in the manifest. A member that Config does not have is an
// error; without config, setup gets the zero value.
func Configured[Config, In, Out any](setup func(cfg Config) (func(c *Call, in In) (Out, error), error)) *Node {
	return &Node{setup: func(config []byte) (runner, error) {
		cfg, err := decodeConfig[Config](config)
		if err != nil {
			return nil, err
		}
		fn, err := setup(cfg)
		if err != nil {
			return nil, err
		}
		return typed(fn), nil
	}}
}

// Raw makes a node of a function on bytes, for input too large to be decoded into
// values: input is the JSON object of the task, which the function may change;
// the result is the JSON object of the writes, nil for none.
func Raw(fn func(c *Call, input []byte) ([]byte, error)) *Node {
	return &Node{setup: func(config []byte) (runner, error) {
		if err := noConfig(config); err != nil {
			return nil, err
		}
		return fn, nil
	}}
}

// RawConfigured is to Raw what Configured is to Func. The config is handed over as
// JSON, empty when the manifest has none.
func RawConfigured(setup func(config []byte) (func(c *Call, input []byte) ([]byte, error), error)) *Node {
	return &Node{setup: func(config []byte) (runner, error) {
		fn, err := setup(config)
		if err != nil {
			return nil, err
		}
		return fn, nil
	}}
}

// typed wraps fn in JSON, and decodes and encodes once: what encoding/json caches
// per type is then paid in the start phase and not in every call.
func typed[In, Out any](fn func(*Call, In) (Out, error)) runner {
	var in In
	var out Out
	if json.Unmarshal([]byte("{}"), &in) == nil {
		_, _ = json.Marshal(out) // a type that cannot be encoded fails in its first call, with its output
	}
	return func(c *Call, input []byte) ([]byte, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, Fatal("bad_input", "input: "+err.Error())
		}
		out, failed := fn(c, in)
		if failed != nil && !failureOf(failed).KeepOutput {
			return nil, failed
		}
		b, err := encode(out)
		if err != nil {
			return nil, Fatal("bad_output", "output: "+err.Error())
		}
		return b, failed
	}
}

// encode is json.Marshal without the escaping of <, > and &, which makes data
// larger for the sake of HTML.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func decodeConfig[Config any](config []byte) (Config, error) {
	var cfg Config
	if len(config) == 0 {
		return cfg, nil
	}
	dec := json.NewDecoder(bytes.NewReader(config))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cfg); err != nil {
		return cfg, Fatal("bad_config", "config: "+err.Error())
	}
	return cfg, nil
}

// noConfig refuses a configuration that nobody reads: a misplaced line in the
// manifest shall not look as if it worked.
func noConfig(config []byte) error {
	switch string(bytes.TrimSpace(config)) {
	case "", "{}", "null":
		return nil
	}
	return Fatal("bad_config", "config: this node takes none")
}

// Status of dash_start and dash_run.
const (
	statusDone        = 0
	statusFailed      = 1
	statusInterrupted = 2
)

// Start runs the start phase against h, as dash_start does, and returns its
// status: 0, or 1 after the failure was reported.
func (n *Node) Start(h Host, configLen int) int32 {
	c := &Call{host: h}
	config, err := c.value("config_read", h.ConfigRead, configLen)
	if err == nil {
		n.run, err = n.setup(config)
	}
	if err != nil {
		return c.fail(err)
	}
	return statusDone
}

// Run runs one task against h, as dash_run does, and returns its status: 0 done,
// 1 failed and reported, 2 a question waits for its answer. A node that was not started is started first.
func (n *Node) Run(h Host, inputLen int) int32 {
	if n.run == nil {
		if status := n.Start(h, 0); status != statusDone {
			return status
		}
	}
	c := &Call{host: h}
	input, err := c.value("input_read", h.InputRead, inputLen)
	if err != nil {
		return c.fail(err)
	}
	out, err := n.run(c, input)
	if c.pending {
		return statusInterrupted
	}
	if err != nil {
		f := failureOf(err)
		if f.KeepOutput {
			if werr := c.write(out); werr != nil {
				f = Fatal(failureOf(werr).Code, werr.Error()+" (on top of: "+err.Error()+")")
			}
		}
		return c.fail(f)
	}
	if err := c.write(out); err != nil {
		return c.fail(err)
	}
	return statusDone
}

func (c *Call) write(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	return c.check("output_write", c.host.OutputWrite(out))
}

// fail reports err. When the host refuses even that, the status alone says it.
func (c *Call) fail(err error) int32 {
	f := failureOf(err)
	c.host.Fail(f.appendJSON(nil), f.retryUS())
	return statusFailed
}
