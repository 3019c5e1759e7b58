package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/dashhost/dashhost/host"
)

// dryRun says what run would do. It reads what run would read and writes nothing, a store neither.
func (a *app) dryRun(ctx context.Context, args []string, f *runFlags) error {
	path, err := a.findManifest(args)
	if err != nil {
		return err
	}
	g, warnings, err := a.readManifest(ctx, path, true)
	if err != nil {
		return err
	}
	if later := g.Unsupported(); len(later) > 0 {
		return &host.NotInVersionError{Faults: later}
	}
	a.tellWarnings(warnings)
	p := &plan{Workflow: g.Name, Manifest: path, Digest: g.Digest(), Nodes: planNodes(g)}
	if p.Modules, err = planModules(g); err != nil {
		return err
	}
	input, err := a.planInput(ctx, p, f, g)
	if err != nil {
		return err
	}
	a.scene.store = a.storeForRun(path)
	stored, err := a.planThread(ctx, p, f)
	if err != nil {
		return err
	}
	if err := p.planFirst(g, input, stored); err != nil {
		return err
	}
	if a.flags.json {
		a.printJSON(p)
		return nil
	}
	a.printPlan(p)
	return nil
}

func (a *app) printPlan(p *plan) {
	state := "new"
	if p.Store.Exists {
		state = "exists"
	}
	thread := "a new one"
	if p.Thread.Name != "" {
		if thread = p.Thread.Name + ", new"; p.Thread.Status != "" {
			thread = p.Thread.Name + ", " + p.Thread.Status
		}
	}
	input := p.Input.From
	if p.Input.From != "none" {
		input += ", " + bytesText(int64(p.Input.Bytes)) + " of " + p.Input.As
		if p.Input.Channel != "" {
			input += " into channel " + p.Input.Channel
		}
	}
	var first []string
	for _, t := range p.First {
		first = append(first, timesText(t.Node, t.Tasks))
	}
	a.table([][]string{
		{"workflow", p.Workflow + " (" + p.Manifest + ")"},
		{"digest", p.Digest},
		{"store", storeName(p.Store.URL) + " (" + state + ")"},
		{"thread", thread},
		{"input", input},
		{"first", orDash(strings.Join(first, ", "))},
	})
	a.printf("\n")
	rows := [][]string{{"MODULE", "FILE", "SIZE", "KIND", "SHA256"}}
	for _, m := range p.Modules {
		rows = append(rows, []string{m.Name, m.File, bytesText(m.Bytes), m.Kind, m.SHA256})
	}
	a.table(rows)
	a.printf("\n")
	rows = [][]string{{"NODE", "RUNS", "POLICY", "GRANTS", "MEMORY", "DEADLINE", "ATTEMPTS"}}
	for _, n := range p.Nodes {
		rows = append(rows, []string{
			n.Name, runsText(n.Module, n.Native), orDash(n.Policy), orDash(strings.Join(n.Grants, " ")), bytesText(n.Memory),
			durationText(time.Duration(n.Deadline) * time.Microsecond), strconv.Itoa(n.Attempts),
		})
	}
	a.table(rows)
}
