package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/examples/merge-gate/nodes/finding"
)

// The parts of SARIF 2.1.0 that are written here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID              string             `json:"ruleId"`
		RuleIndex           int                `json:"ruleIndex"`
		Level               string             `json:"level"`
		Message             sarifText          `json:"message"`
		Locations           []sarifLocation    `json:"locations"`
		PartialFingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions        []sarifSuppression `json:"suppressions,omitempty"` // of a waived finding
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPlace `json:"physicalLocation"`
	}
	sarifPlace struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int        `json:"startLine"`
		Snippet   *sarifText `json:"snippet,omitempty"`
	}
)

var sarifLevels = [len(severities)]string{"error", "warning", "note"}

// sarif writes the report for tools.
func sarif(_ Change, findings []finding.Finding, passed []waived) (string, error) {
	rules := []sarifRule{}
	for _, f := range findings {
		rules = append(rules, sarifRule{ID: f.Rule})
	}
	for _, w := range passed {
		rules = append(rules, sarifRule{ID: w.Rule})
	}
	slices.SortFunc(rules, func(a, b sarifRule) int { return strings.Compare(a.ID, b.ID) })
	rules = slices.Compact(rules)
	results := []sarifResult{}
	for _, f := range findings {
		results = append(results, result(f, slices.Index(rules, sarifRule{ID: f.Rule})))
	}
	for _, w := range passed {
		r := result(w.Finding, slices.Index(rules, sarifRule{ID: w.Rule}))
		r.Suppressions = []sarifSuppression{{Kind: "external", Status: "accepted", Justification: w.Reason}}
		results = append(results, r)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs: []sarifRun{{
			Tool:    sarifTool{Driver: sarifDriver{Name: "merge-gate", Rules: rules}},
			Results: results,
		}},
	})
	return buf.String(), err
}

func result(f finding.Finding, rule int) sarifResult {
	place := sarifPlace{ArtifactLocation: sarifArtifact{URI: uri(f.Path)}}
	if f.Line > 0 {
		place.Region = &sarifRegion{StartLine: f.Line}
		if f.Excerpt != "" {
			place.Region.Snippet = &sarifText{Text: f.Excerpt}
		}
	}
	return sarifResult{
		RuleID: f.Rule, RuleIndex: rule, Level: sarifLevels[rank(f.Severity)],
		Message: sarifText{Text: f.Message}, Locations: []sarifLocation{{PhysicalLocation: place}},
		PartialFingerprints: map[string]string{"mergeGateId/v1": f.ID},
	}
}

// uri is a path as a relative reference, which must not look like scheme:rest.
func uri(path string) string {
	return (&url.URL{Path: path}).String()
}
