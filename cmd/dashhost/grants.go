package main

import (
	"os"
	"sort"
	"strings"

	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host/workflow"
)

// grantsText names what a node may do, with the settings that bound it.
func grantsText(g *workflow.Grants) []string {
	grants := []string{}
	add := func(on bool, text ...string) {
		if on {
			grants = append(grants, strings.Join(text, ""))
		}
	}
	add(g.Clock, "clock")
	add(g.Random, "random")
	add(g.Checkpoint, "checkpoint")
	add(len(g.Args) > 0, "args")
	var env []string
	for name := range g.Env {
		env = append(env, name)
	}
	sort.Strings(env)
	add(len(env) > 0, "env(", strings.Join(env, ","), ")")
	if g.KV != nil {
		add(true, "kv(", g.KV.Scope, ")")
	}
	if g.HTTP != nil {
		add(true, "http(", strings.Join(g.HTTP.Allow, ","), ")")
	}
	if g.Telemetry != nil {
		add(true, "telemetry(", strings.Join(g.Telemetry.Names, ","), ")")
	}
	return grants
}

// grantsOf lists what every node may do and what its module asks for.
func grantsOf(g *workflow.Graph) ([]grantView, error) {
	needs := map[*workflow.Module][]string{}
	for _, m := range g.Modules {
		wasm, err := os.ReadFile(m.File)
		if err != nil {
			return nil, &fileError{What: "module " + m.Name, Path: m.File, Err: err}
		}
		info, err := guest.Inspect(wasm, &guest.ModuleOptions{Name: m.Name, Trusted: m.Trusted})
		if err != nil {
			return nil, err
		}
		for _, grant := range info.Grants {
			needs[m] = append(needs[m], string(grant))
		}
	}
	var views []grantView
	for _, n := range g.Nodes {
		v := grantView{Node: n.Name, Native: n.Native, Grants: grantsText(&n.Grants), Needs: needs[n.Module]}
		if n.Module != nil {
			v.Module = n.Module.Name
		}
		views = append(views, v)
	}
	return views, nil
}

// runsText is what a node runs.
func runsText(module, native string) string {
	if native != "" {
		return "native " + native
	}
	return module
}
