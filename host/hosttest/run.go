package hosttest

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/dashhost/dashhost/host"
)

// Run runs a manifest to its end on a host of its own, where waiting takes no
// time. The test fails if it cannot be loaded or started, or if an answer is
// left over; how it ended is for Outcome.Check.
func Run(t T, manifest string, o *Options) *Outcome {
	t.Helper()
	return New(t, nil).Run(manifest, o)
}

// NodeOptions of RunNode and RunModule. Nil is fine.
type NodeOptions struct {
	// Fields of the node as the manifest writes them, in flow style:
	// "config: {lang: go}, grants: {clock: true}, deadline: 1s". Default none. reads,
	// writes and raw are taken.
	Fields  string
	Answers []Answer // to what it asks; default none
}

// RunNode runs a Go function as the only node of a graph. It gets input as it
// is, and what it writes is the output as it is, both UTF-8.
func RunNode(t T, n host.Node, input string, o *NodeOptions) *Outcome {
	t.Helper()
	manifest := Manifest(t, oneNode("native: node", o))
	return Run(t, manifest, one(input, o, host.Nodes{"node": n}))
}

// RunModule runs a wasm file as the only node of a graph. It gets input as it
// is, and what it writes is the output as it is, both UTF-8.
func RunModule(t T, file, input string, o *NodeOptions) *Outcome {
	t.Helper()
	modules := fmt.Sprintf("modules: {node: {path: %q}}\n", filepath.Base(file))
	manifest := Manifest(t, oneNode("module: node", o)+modules, file)
	return Run(t, manifest, one(input, o, nil))
}

func oneNode(what string, o *NodeOptions) string {
	if o != nil && o.Fields != "" {
		what += ", " + o.Fields
	}
	return `version: 1
name: node
input: {channel: input, as: text}
output: {channel: output, as: text}
channels: {input: {}, output: {}}
edges: [{from: START, to: node}]
nodes: {node: {raw: {in: input, out: output}, ` + what + "}}\n"
}

func one(input string, o *NodeOptions, nodes host.Nodes) *Options {
	out := &Options{Nodes: nodes, Input: []byte(input)}
	if o != nil {
		out.Answers = o.Answers
	}
	return out
}

// Manifest writes a manifest to a folder of the test, and modules beside it, by
// their base names, and returns its path.
func Manifest(t T, text string, modules ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, m := range modules {
		wasm, err := os.ReadFile(m)
		if err != nil {
			t.Fatalf("hosttest: module: %v", err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(m)), wasm, 0o600); err != nil {
			t.Fatalf("hosttest: module: %v", err)
		}
	}
	path := filepath.Join(dir, "workflow.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatalf("hosttest: manifest: %v", err)
	}
	return path
}
