package workflow

import (
	"time"
)

func (b *builder) node(g *Graph, i int, e entry) *Node {
	v := e.val
	n := &Node{
		Name:       e.name,
		Index:      i,
		Module:     g.Module(v.str("module")),
		Native:     v.str("native"),
		Workflow:   v.str("workflow"),
		Reads:      v.strs("reads"),
		Writes:     v.strs("writes"),
		RawIn:      v.get("raw").str("in"),
		RawOut:     v.get("raw").str("out"),
		Limits:     b.limits(v),
		Retry:      retry(v.get("retry")),
		OnError:    v.str("on_error"),
		Policy:     v.str("policy"),
		Instances:  int(v.num("instances")),
		ReuseMax:   int(v.num("reuse_max")),
		Defer:      v.flag("defer"),
		Interrupts: v.flag("interrupts"),
		Durable:    v.has("durable"),
		Grants:     grants(v.get("grants")),
		Pos:        v.key,
	}
	n.StrictImports = b.root.flag("strict_imports")
	if v.has("strict_imports") {
		n.StrictImports = v.flag("strict_imports")
	}
	if w := v.get("wait"); w != nil {
		n.Wait = &Wait{For: time.Duration(w.num("for")), Until: w.str("until")}
	}
	if each := v.get("each"); each != nil {
		n.Each = &Each{Over: each.str("over"), Batch: int(each.num("batch")), Pos: each.pos}
	}
	if c := v.get("config"); c != nil {
		n.Config = c.raw
	}
	if c := v.get("cache"); c != nil {
		n.Cache = &Cache{TTL: time.Duration(c.num("ttl"))}
	}
	return n
}

// limits resolves a node's limits: its own, else the manifest's.
func (b *builder) limits(v *value) Limits {
	own, all := v.get("limits"), b.root.get("limits")
	at := make(map[string]Pos)
	pick := func(name string) uint64 {
		switch {
		case name == "deadline" && v.has(name):
			at[name] = v.place(name)
			return v.num(name)
		case own.has(name):
			at[name] = own.place(name)
			return own.num(name)
		case all.has(name):
			at[name] = all.place(name)
			return all.num(name)
		}
		at[name] = v.key
		return 0
	}
	size := func(name string) int64 { return int64(pick(name)) }
	return Limits{
		Module: size("module"), Memory: size("memory"), Input: size("input"), Output: size("output"),
		Arg: size("arg"), Stack: size("stack"), Log: size("log"), Table: size("table"),
		Effects: size("effects"), Handles: size("handles"),
		Fuel: pick("fuel"), StartFuel: pick("start_fuel"),
		Deadline: time.Duration(pick("deadline")), StartDeadline: time.Duration(pick("start_deadline")),
		Places: at,
	}
}

func retry(v *value) Retry {
	if v == nil || v.bad {
		return Retry{Attempts: 1}
	}
	r := Retry{
		Attempts: int(v.num("attempts")),
		Initial:  time.Duration(v.num("initial")),
		Max:      time.Duration(v.num("max")),
		On:       v.strs("on"),
	}
	if f := v.get("factor"); f != nil {
		r.Factor = f.float
	}
	if f := v.get("jitter"); f != nil {
		r.Jitter = f.float
	}
	return r
}

func grants(v *value) Grants {
	g := Grants{Clock: v.flag("clock"), Random: v.flag("random"), Checkpoint: v.flag("checkpoint"), Args: v.strs("args")}
	if env := v.table("env"); len(env) > 0 {
		g.Env = make(map[string]string, len(env))
		for _, e := range env {
			g.Env[e.name] = e.val.text
		}
	}
	if kv := v.get("kv"); kv != nil {
		g.KV = &KVGrant{Scope: kv.str("scope"), MaxBytes: int64(kv.num("max_bytes"))}
	}
	if h := v.get("http"); h != nil {
		g.HTTP = &HTTPGrant{Allow: h.strs("allow"), Methods: h.strs("methods"), MaxBytes: int64(h.num("max_bytes")), Rate: h.str("rate")}
	}
	if t := v.get("telemetry"); t != nil {
		g.Telemetry = &TelemetryGrant{Names: t.strs("names"), Rate: t.str("rate")}
	}
	return g
}

// holds reports whether a node holds a grant of that name.
func (n *Node) holds(grant string) bool {
	switch g := &n.Grants; grant {
	case "clock":
		return g.Clock
	case "random":
		return g.Random
	case "checkpoint":
		return g.Checkpoint
	case "kv":
		return g.KV != nil
	case "http":
		return g.HTTP != nil
	case "telemetry":
		return g.Telemetry != nil
	case "interrupts":
		return n.Interrupts
	}
	return false
}
