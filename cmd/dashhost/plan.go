package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
	"github.com/dashhost/dashhost/host/workflow"
)

// plan is what run --dry-run prints: what would be run, and where it would be kept.
type plan struct {
	Workflow string       `json:"workflow"`
	Manifest string       `json:"manifest"`
	Digest   string       `json:"digest"`
	Store    planStore    `json:"store"`
	Thread   planThread   `json:"thread"`
	Input    planInput    `json:"input"`
	Modules  []planModule `json:"modules"`
	Nodes    []planNode   `json:"nodes"`
	First    []planTasks  `json:"first"` // tasks of the first step
}

type planStore struct {
	URL    string `json:"url"`
	Exists bool   `json:"exists"`
}

type planThread struct {
	Name   string `json:"name,omitempty"`   // "" = a new unique one
	Status string `json:"status,omitempty"` // of one that exists
}

type planInput struct {
	From    string `json:"from"` // a file, "stdin", "--input-json"
	Channel string `json:"channel,omitempty"`
	As      string `json:"as"`
	Bytes   int    `json:"bytes"`
}

type planModule struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Kind   string `json:"kind"`
}

type planNode struct {
	Name     string   `json:"name"`
	Module   string   `json:"module,omitempty"`
	Native   string   `json:"native,omitempty"`
	Policy   string   `json:"policy,omitempty"` // in effect; "" for one that is no module
	Grants   []string `json:"grants"`
	Memory   int64    `json:"memory_bytes"`
	Deadline int64    `json:"deadline_us"`
	Attempts int      `json:"attempts"`
}

type planTasks struct {
	Node  string `json:"node"`
	Tasks int    `json:"tasks"`
}

func planModules(g *workflow.Graph) ([]planModule, error) {
	mods := []planModule{}
	for _, m := range g.Modules {
		info, err := os.Stat(m.File)
		if err != nil {
			return nil, &fileError{What: "module " + m.Name, Path: m.File, Err: err}
		}
		mods = append(mods, planModule{Name: m.Name, File: m.File, Bytes: info.Size(), SHA256: m.SHA256, Kind: m.Kind})
	}
	return mods, nil
}

func planNodes(g *workflow.Graph) []planNode {
	d := guest.DefaultLimits()
	var nodes []planNode
	for _, n := range g.Nodes {
		p := planNode{
			Name: n.Name, Native: n.Native, Policy: n.Policy, Grants: grantsText(&n.Grants), Memory: n.Limits.Memory,
			Deadline: n.Limits.Deadline.Microseconds(), Attempts: n.Retry.Attempts,
		}
		if n.Module != nil {
			p.Module, p.Policy = n.Module.Name, policyOf(n)
		}
		if p.Memory == 0 {
			p.Memory = d.Memory
		}
		if p.Deadline == 0 {
			p.Deadline = d.Deadline.Microseconds()
		}
		nodes = append(nodes, p)
	}
	return nodes
}

// policyOf is the policy in effect.
func policyOf(n *workflow.Node) string {
	p := guest.PolicyReset
	if n.Policy != "" {
		p = guest.Policy(n.Policy)
	}
	if p == guest.PolicyReset && len(n.Module.Obstacles) > 0 {
		p = guest.PolicyFresh
	}
	return string(p)
}

// planInput reads the input as run would and returns it as channels.
func (a *app) planInput(ctx context.Context, p *plan, f *runFlags, g *workflow.Graph) (map[string]json.RawMessage, error) {
	b, err := a.readInput(ctx, &f.input, g)
	if err != nil {
		return nil, err
	}
	text := g.Input.Text && !f.input.hasJSON
	p.Input = planInput{Channel: g.Input.Channel, As: "json", From: f.input.file}
	if text {
		p.Input.As = "text"
	}
	switch {
	case f.input.hasJSON:
		p.Input.From = "--input-json"
	case f.input.file == "-":
		p.Input.From = "stdin"
	case b == nil && g.Input.Default != "":
		p.Input.From = filepath.Join(g.Dir, g.Input.Default)
		if b, err = a.readFile(ctx, "input", p.Input.From, g.Run.StateBytes); err != nil {
			return nil, err
		}
	case b == nil:
		p.Input.From = "none"
		return nil, nil
	}
	p.Input.Bytes = len(b)
	if text {
		b = []byte(jsonText(string(b)))
	}
	if g.Input.Channel != "" {
		if !json.Valid(b) {
			return nil, &usageError{Text: "input: " + p.Input.From + ": not JSON"}
		}
		return map[string]json.RawMessage{g.Input.Channel: b}, nil
	}
	channels := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &channels); err != nil {
		return nil, &usageError{Text: "input: " + p.Input.From + ": not a JSON object of channels: " + err.Error()}
	}
	return channels, nil
}

// planThread looks the thread up in the store, if there is one, and returns the state it would go on from.
func (a *app) planThread(ctx context.Context, p *plan, f *runFlags) (checkpoint.State, error) {
	p.Store.URL, p.Thread.Name = openurl.Redact(a.scene.store), f.thread
	var none checkpoint.State
	if !lasts(a.scene.store) {
		return none, nil
	}
	s, err := a.openForReading(ctx, a.scene.store)
	if missing := (*noStoreError)(nil); errors.As(err, &missing) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	defer s.Close() //nolint:errcheck // only read
	p.Store.Exists = true
	if f.thread == "" {
		return none, nil
	}
	info, err := s.Thread(ctx, f.thread)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	p.Thread.Status = host.ThreadStatus(info)
	_, state, err := s.State(ctx, f.thread, "", "")
	if errors.Is(err, checkpoint.ErrNotFound) {
		return none, nil
	}
	return state, err
}

// planFirst works out the tasks of the first step.
func (p *plan) planFirst(g *workflow.Graph, input map[string]json.RawMessage, stored checkpoint.State) error {
	get := func(channel string) []byte {
		if v, ok := input[channel]; ok {
			return v
		}
		v, _ := stored.Get(channel)
		return v
	}
	seen := map[string]bool{}
	for _, e := range g.Edges {
		if len(e.From) != 1 || e.From[0] != workflow.Start {
			continue
		}
		to, err := targets(e, get)
		if err != nil {
			return err
		}
		for _, name := range to {
			if n := g.Node(name); n != nil && !seen[name] {
				seen[name] = true
				p.First = append(p.First, planTasks{Node: name, Tasks: tasksOf(n, get)})
			}
		}
	}
	return nil
}

// targets are where an edge leads with these channels.
func targets(e *workflow.Edge, get func(string) []byte) ([]string, error) {
	if e.When == nil {
		return e.To, nil
	}
	for _, b := range e.When {
		if b.If == nil {
			return b.To, nil
		}
		if ok, err := b.If.Eval(get); err != nil || ok {
			return b.To, err
		}
	}
	return nil, nil
}

// tasksOf is how many tasks a node makes of its list.
func tasksOf(n *workflow.Node, get func(string) []byte) int {
	if n.Each == nil {
		return 1
	}
	var list []json.RawMessage
	if raw := get(n.Each.Over); raw == nil || json.Unmarshal(raw, &list) != nil {
		return 0
	}
	size := max(n.Each.Batch, 1)
	return (len(list) + size - 1) / size
}
