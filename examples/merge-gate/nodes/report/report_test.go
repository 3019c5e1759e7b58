package main

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/examples/merge-gate/nodes/finding"
	"github.com/dashhost/dashhost/sdk/go/dashtest"
)

var some = []finding.Finding{
	{ID: "01", Rule: "aws-access-key", Severity: "high", Path: "a.go", Line: 3, Message: "an AWS access key", Excerpt: "key = AKIA..."},
	{ID: "02", Rule: "bidi-control", Severity: "high", Path: "b.go", Line: 1, Message: "reorders"},
	{ID: "03", Rule: "go-replace", Severity: "medium", Path: "go.mod", Line: 12, Message: "replaced by a fork"},
	{ID: "04", Rule: "large-binary", Severity: "low", Path: "p.png", Message: "2.0 MiB"},
	{ID: "05", Rule: "large-binary", Severity: "low", Path: "q.png", Message: "3.0 MiB"},
}

func runReport(t *testing.T, findings []finding.Finding, config string) (string, *dashtest.Failure) {
	t.Helper()
	input, err := json.Marshal(In{Change: Change{Files: 4, Binary: 2, Added: 40, Removed: 1}, Findings: findings})
	if err != nil {
		t.Fatal(err)
	}
	res := dashtest.Run(node, string(input), &dashtest.Options{Config: config})
	var out Out
	if res.Output != "" {
		if err := json.Unmarshal([]byte(res.Output), &out); err != nil {
			t.Fatal(err)
		}
	}
	return out.Report, res.Failure
}

func TestMarkdown(t *testing.T) {
	got, failure := runReport(t, some, "")
	want := "# Merge gate\n\n4 files changed (2 binary), 40 lines added, 1 removed.\n\n**5 findings**: 2 high, 1 medium, 2 low.\n" +
		"\n## High (2)\n\n| where | rule | what | id |\n|---|---|---|---|\n" +
		"| `a.go:3` | `aws-access-key` | an AWS access key<br>`key = AKIA...` | `01` |\n| `b.go:1` | `bidi-control` | reorders | `02` |\n" +
		"\n## Medium (1)\n\n| where | rule | what | id |\n|---|---|---|---|\n| `go.mod:12` | `go-replace` | replaced by a fork | `03` |\n" +
		"\n## Low (2)\n\n| where | rule | what | id |\n|---|---|---|---|\n| `p.png` | `large-binary` | 2.0 MiB | `04` |\n| `q.png` | `large-binary` | 3.0 MiB | `05` |\n"
	if failure != nil || got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, _ := runReport(t, nil, ""); !strings.HasSuffix(got, "1 removed.\n\nNo findings.\n") {
		t.Errorf("without findings: got\n%s", got)
	}
}

func TestOrderOfFindingsDoesNotMatterAndRepeatsGo(t *testing.T) {
	for _, config := range []string{"", `{"format":"sarif"}`} {
		want, _ := runReport(t, some, config)
		for seed := range uint64(20) {
			mixed := append(append([]finding.Finding{}, some...), some[1], some[4])
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			if got, _ := runReport(t, mixed, config); got != want {
				t.Fatalf("config %s, seed %d: got\n%s\nwant\n%s", config, seed, got, want)
			}
		}
	}
}

func TestMarkdownCannotBeInjected(t *testing.T) {
	evil := "a`b|c](http://x)<img src=x>\n# heading\n| `x` | @team ``` **bold** \\ \x1b\u202e"
	got, _ := runReport(t, []finding.Finding{{ID: "1", Rule: "r", Severity: "high", Path: evil, Line: 1, Message: evil, Excerpt: evil}}, "")
	lines := strings.Split(got, "\n")
	row := lines[len(lines)-2]
	if strings.Count(got, "\n") != 11 || strings.Count(row, "|") != 5+3 || strings.Count(row, `\|`) != 3 {
		t.Errorf("cells or lines were made: %q", got)
	}
	text := row[strings.Index(row, "`r`"):strings.Index(row, "<br>")]
	for _, bad := range []string{"<img", "[", "](", "**b", "://", " @team"} {
		if strings.Contains(strings.ReplaceAll(text, `\[`, ""), bad) && !strings.Contains(text, `\`+bad) {
			t.Errorf("%q is in the text: %s", bad, text)
		}
	}
	if strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("control characters in %q", got)
	}
}

func TestSARIF(t *testing.T) {
	odd := append([]finding.Finding{{ID: "06", Rule: "z", Severity: "weird", Path: "a b/ü:c#d?.go", Line: 2, Message: "<m> & \"q\""}}, some...)
	got, failure := runReport(t, odd, `{"format":"sarif"}`)
	var log sarifLog
	if err := json.Unmarshal([]byte(got), &log); err != nil || failure != nil {
		t.Fatalf("%v, %v\n%s", err, failure, got)
	}
	run := log.Runs[0]
	if log.Version != "2.1.0" || len(run.Results) != 6 || len(run.Tool.Driver.Rules) != 5 {
		t.Fatalf("got %+v", log)
	}
	for _, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("rule index %d is not %s", r.RuleIndex, r.RuleID)
		}
	}
	first := run.Results[0]
	if first.Level != "error" || first.Locations[0].PhysicalLocation.ArtifactLocation.URI != "a%20b/%C3%BC:c%23d%3F.go" || first.Message.Text != `<m> & "q"` {
		t.Errorf("got %+v", first)
	}
	if last := run.Results[5]; last.Level != "note" || last.Locations[0].PhysicalLocation.Region != nil {
		t.Errorf("got %+v", last)
	}
	if uri("c:d") != "./c:d" {
		t.Errorf("uri of a path with a colon first: %s", uri("c:d"))
	}
	if got, _ := runReport(t, nil, `{"format":"sarif"}`); !strings.Contains(got, `"results": []`) || !strings.Contains(got, `"rules": []`) {
		t.Errorf("without findings: got\n%s", got)
	}
}

func TestFailOnKeepsTheReport(t *testing.T) {
	cases := []struct{ failOn, message string }{
		{"high", "2 findings of severity high or worse, see the report"},
		{"medium", "3 findings of severity medium or worse, see the report"},
		{"low", "5 findings of severity low or worse, see the report"},
		{"none", ""},
	}
	for _, c := range cases {
		report, failure := runReport(t, some, `{"fail_on":"`+c.failOn+`"}`)
		if !strings.HasPrefix(report, "# Merge gate") {
			t.Errorf("%s: the report is lost", c.failOn)
		}
		if c.message == "" {
			if failure != nil {
				t.Errorf("%s: got %+v", c.failOn, failure)
			}
			continue
		}
		if failure == nil || failure.Code != "findings" || !failure.KeepOutput || failure.RetryUS != -1 || failure.Message != c.message {
			t.Errorf("%s: got %+v", c.failOn, failure)
		}
	}
	if _, failure := runReport(t, some[3:], `{"fail_on":"medium"}`); failure != nil {
		t.Errorf("low findings, fail_on medium: got %+v", failure)
	}
	for _, config := range []string{`{"fail_on":"hihg"}`, `{"format":"html"}`} {
		if _, failure := runReport(t, nil, config); failure == nil || failure.Code != "bad_config" {
			t.Errorf("%s: got %+v", config, failure)
		}
	}
}

func TestWaivers(t *testing.T) {
	run := func(waivers, config string) (map[string]json.RawMessage, *dashtest.Failure) {
		findings, _ := json.Marshal(some)
		res := dashtest.Run(node, `{"change":{},"findings":`+string(findings)+`,"waivers":`+waivers+`}`, &dashtest.Options{Config: config})
		var out map[string]json.RawMessage
		if err := json.Unmarshal([]byte(res.Output), &out); err != nil {
			t.Fatal(err)
		}
		return out, res.Failure
	}
	out, failure := run(`{"01":"a | test key","02":"known"}`, `{"fail_on":"high"}`)
	var report string
	if err := json.Unmarshal(out["report"], &report); err != nil || failure != nil {
		t.Fatal(err, failure)
	}
	if !strings.Contains(report, "**3 findings**: 0 high") || !strings.Contains(report, "## Waived (2)") ||
		!strings.Contains(report, "| `a.go:3` | `aws-access-key` | a \\| test key | `01` |") {
		t.Errorf("report:\n%s", report)
	}
	if _, failure = run(`{"01":"a test key"}`, `{"fail_on":"high"}`); failure == nil || failure.Code != "findings" || !failure.KeepOutput {
		t.Errorf("one high finding is left: %+v", failure)
	}
	out, failure = run(`{"01":"a test key","reject":"not like this"}`, "")
	if failure == nil || failure.Code != "rejected" || !failure.KeepOutput || !strings.Contains(failure.Message, "not like this") {
		t.Errorf("rejected: %+v", failure)
	}
	if string(out["waivers!"]) != `{"01":"a test key"}` {
		t.Errorf("waivers after a rejection: %s", out["waivers!"])
	}
	if out, _ = run(`{"01":"x"}`, `{"format":"sarif"}`); !strings.Contains(string(out["report"]), `suppressions`) {
		t.Errorf("sarif: %s", out["report"])
	}
}
