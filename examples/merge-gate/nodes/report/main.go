// Command report is the last node of merge-gate: it turns the findings of all
// checks into one text, Markdown for people or SARIF 2.1.0 for tools.
//
// It reads change, findings and waivers, and writes report. Findings are made unique by id
// and sorted by severity, path, line and rule, so the same findings give the same
// bytes in whatever order the checks finished.
package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dashhost/dashhost/examples/merge-gate/nodes/finding"
	dash "github.com/dashhost/dashhost/sdk/go"
)

// Config of the node in the manifest.
type Config struct {
	Format string `json:"format"`  // "markdown" (default) or "sarif"
	FailOn string `json:"fail_on"` // lowest severity that fails the run after the report was written: high, medium, low; default none
}

// In is the input.
type In struct {
	Change   Change            `json:"change"`
	Findings []finding.Finding `json:"findings"`
	Waivers  map[string]string `json:"waivers"` // id of a finding -> why it passes; "reject" -> why the change does not
}

// Change counts what the patch changes.
type Change struct {
	Files   int `json:"files"`
	Binary  int `json:"binary"`
	Added   int `json:"added"`
	Removed int `json:"removed"`
}

// Out is the output.
type Out struct {
	Report  string             `json:"report"`
	Waivers *map[string]string `json:"waivers!,omitempty"` // without a rejection, which stands once
}

var node = dash.Serve(dash.Configured(setup))

func main() {}

// severities in order of a report.
var severities = [...]string{finding.High, finding.Medium, finding.Low}

// rank is the place of a severity; one that no check should write counts as high.
func rank(severity string) int { return max(slices.Index(severities[:], severity), 0) }

func setup(cfg Config) (func(*dash.Call, In) (Out, error), error) {
	render, ok := map[string]func(Change, []finding.Finding, []waived) (string, error){
		"": markdown, "markdown": markdown, "sarif": sarif,
	}[cfg.Format]
	if !ok {
		return nil, dash.Fatal("bad_config", fmt.Sprintf("config: format: %q, want markdown or sarif", cfg.Format))
	}
	limit := slices.Index(severities[:], cfg.FailOn) // -1: none fails
	if limit < 0 && cfg.FailOn != "" && cfg.FailOn != "none" {
		return nil, dash.Fatal("bad_config", fmt.Sprintf("config: fail_on: %q, want high, medium, low or none", cfg.FailOn))
	}
	return func(_ *dash.Call, in In) (Out, error) {
		findings, passed := settle(ordered(in.Findings), in.Waivers)
		text, err := render(in.Change, findings, passed)
		if err != nil {
			return Out{}, err
		}
		out := Out{Report: text}
		if err := rejected(&out, in.Waivers); err != nil {
			return out, err
		}
		return out, verdict(findings, limit)
	}, nil
}

// ordered sorts findings and removes repeats: the same id once.
func ordered(findings []finding.Finding) []finding.Finding {
	findings = slices.Clone(findings)
	slices.SortFunc(findings, func(a, b finding.Finding) int {
		return cmp.Or(
			cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Excerpt, b.Excerpt),
		)
	})
	seen := make(map[string]bool, len(findings))
	return slices.DeleteFunc(findings, func(f finding.Finding) bool {
		repeated := f.ID != "" && seen[f.ID]
		seen[f.ID] = true
		return repeated
	})
}

// counts counts findings by severity.
func counts(findings []finding.Finding) (n [len(severities)]int) {
	for _, f := range findings {
		n[rank(f.Severity)]++
	}
	return n
}

// verdict fails the task when findings reach the limit; the report is kept.
func verdict(findings []finding.Finding, limit int) error {
	bad := 0
	for i, n := range counts(findings) {
		if i <= limit {
			bad += n
		}
	}
	if bad == 0 {
		return nil
	}
	return &dash.Failure{
		Code: "findings", Final: true, KeepOutput: true,
		Message: fmt.Sprintf("%s of severity %s or worse, see the report", plural(bad, "finding"), severities[limit]),
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
