package main

import (
	"fmt"
	"strings"

	"github.com/dashhost/dashhost/examples/merge-gate/nodes/finding"
	dash "github.com/dashhost/dashhost/sdk/go"
)

// rejectKey among the waivers is no finding's id: a reviewer who writes it
// rejects the change, with the reason as its value.
const rejectKey = "reject"

// waived is a finding that a reviewer let pass.
type waived struct {
	finding.Finding
	Reason string
}

// settle parts findings into those that are open and those that are waived, both
// in the order they came.
func settle(findings []finding.Finding, waivers map[string]string) (open []finding.Finding, passed []waived) {
	for _, f := range findings {
		if reason, ok := waivers[f.ID]; ok && f.ID != "" {
			passed = append(passed, waived{f, reason})
		} else {
			open = append(open, f)
		}
	}
	return open, passed
}

// rejected fails the run of a change that a reviewer rejected. The rejection is
// taken out of the waivers, so that it stands for this change only; the report is
// kept.
func rejected(out *Out, waivers map[string]string) error {
	reason, ok := waivers[rejectKey]
	if !ok {
		return nil
	}
	rest := make(map[string]string, len(waivers))
	for id, why := range waivers {
		if id != rejectKey {
			rest[id] = why
		}
	}
	out.Waivers = &rest
	return &dash.Failure{Code: "rejected", Final: true, KeepOutput: true, Message: "a reviewer rejected the change: " + reason}
}

// waivedMarkdown is the part of the report for people that tells what was let
// pass, by whose reason.
func waivedMarkdown(b *strings.Builder, passed []waived) {
	if len(passed) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Waived (%d)\n\n| where | rule | reason | id |\n|---|---|---|---|\n", len(passed))
	for _, w := range passed {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", code(where(w.Finding)), code(w.Rule), escape(w.Reason), code(w.ID))
	}
}
