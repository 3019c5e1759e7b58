package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/host/workflow"
)

// validation is what validate --json prints.
type validation struct {
	File   string      `json:"file"`
	Valid  bool        `json:"valid"`
	Digest string      `json:"digest,omitempty"`
	Faults []faultView `json:"faults"`
	Grants []grantView `json:"grants,omitempty"` // with --grants
}

// faultView is one fault of a manifest.
type faultView struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Col      int    `json:"col,omitempty"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
	Hint     string `json:"hint,omitempty"`
}

// grantView is what one node may do beside computing.
type grantView struct {
	Node   string   `json:"node"`
	Module string   `json:"module,omitempty"`
	Native string   `json:"native,omitempty"`
	Grants []string `json:"grants"`          // as the manifest gives them
	Needs  []string `json:"needs,omitempty"` // what the module's imports ask for
}

func (a *app) validateCommand() *cobra.Command {
	var grants bool
	c := &cobra.Command{
		Use:   "validate [MANIFEST]",
		Short: "Check a manifest and its modules, and report every fault",
		Long: `Check a manifest and its modules without running anything. Every fault is reported in one pass, each with its place
and what to do. --grants lists what each node may do beside computing, and what its module asks for.`,
		Args:              args("[MANIFEST]"),
		ValidArgsFunction: completeManifest,
		RunE: func(c *cobra.Command, args []string) error {
			path, err := a.findManifest(args)
			if err != nil {
				return err
			}
			g, warnings, err := a.readManifest(c.Context(), path, true)
			if a.flags.json {
				return a.printValidation(path, g, warnings, err, grants)
			}
			if err != nil {
				return err
			}
			a.tellWarnings(append(warnings, g.Unsupported()...))
			if grants {
				return a.printGrants(g)
			}
			a.talk.linef("%s: valid: %s, %s, %s", path, count(len(g.Nodes), "node"), count(len(g.Modules), "module"), count(len(g.Channels), "channel"))
			return nil
		},
	}
	c.Flags().BoolVar(&grants, "grants", false, "list what each node may do")
	return c
}

// printValidation prints a verdict as JSON; an invalid manifest is told there and nowhere else.
func (a *app) printValidation(path string, g *workflow.Graph, warnings []workflow.Fault, err error, grants bool) error {
	v := &validation{File: path, Valid: err == nil, Faults: []faultView{}}
	var invalid *workflow.Invalid
	switch {
	case errors.As(err, &invalid):
		warnings = invalid.Faults
	case err != nil:
		return err
	default:
		v.Digest = g.Digest()
		warnings = append(warnings, g.Unsupported()...)
	}
	for _, f := range warnings {
		v.Faults = append(v.Faults, faultView{f.Pos.File, f.Pos.Line, f.Pos.Col, f.Severity.String(), f.Text, f.Hint})
	}
	if err == nil && grants {
		views, err := grantsOf(g)
		if err != nil {
			return err
		}
		v.Grants = views
	}
	a.printJSON(v)
	if err != nil {
		return &exitError{code: exitUsage}
	}
	return nil
}

func (a *app) printGrants(g *workflow.Graph) error {
	views, err := grantsOf(g)
	if err != nil {
		return err
	}
	rows := [][]string{{"NODE", "RUNS", "MAY", "ITS MODULE ASKS FOR"}}
	for _, v := range views {
		rows = append(rows, []string{v.Node, runsText(v.Module, v.Native), orDash(strings.Join(v.Grants, " ")), orDash(strings.Join(v.Needs, " "))})
	}
	a.table(rows)
	return nil
}
