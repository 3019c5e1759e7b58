package mergegate

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dashhost/dashhost/host"
)

// shared is one host for all tests. It keeps their graphs, and so the modules, which take seconds to compile.
var shared = sync.OnceValues(func() (*host.Host, error) { return host.New(nil) })

func TestMain(m *testing.M) {
	code := m.Run()
	if h, err := shared(); err != nil || h.Close(context.Background()) != nil {
		code = max(code, 1)
	}
	os.Exit(code)
}

// runGate runs the manifest, with texts of it replaced, over a patch; nil is the sample.
func runGate(t *testing.T, patch []byte, replace ...string) *host.Result {
	t.Helper()
	h, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	manifest := "workflow.yaml"
	if len(replace) > 0 {
		manifest = changed(t, replace)
	}
	ctx := context.Background()
	g, err := h.Load(ctx, manifest, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Start(ctx, g, patch, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// changed copies the example with texts of the manifest replaced, each of which must be there.
func changed(t *testing.T, replace []string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "wasm"), os.DirFS("wasm")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("workflow.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manifest := string(text)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(manifest, replace[i]) {
			t.Fatalf("workflow.yaml has no %q", replace[i])
		}
		manifest = strings.Replace(manifest, replace[i], replace[i+1], 1)
	}
	path := filepath.Join(dir, "workflow.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSampleGivesTheReport(t *testing.T) {
	want, err := os.ReadFile("testdata/report.md")
	if err != nil {
		t.Fatal(err)
	}
	res := runGate(t, nil)
	if res.Status != "done" || string(res.Output) != string(want) {
		t.Errorf("status %s (%v); got\n%s\nwant testdata/report.md:\n%s", res.Status, res.Err, res.Output, want)
	}
	if res.Steps != 3 || res.Tasks != 5 {
		t.Errorf("%d steps, %d tasks; want split, three checks at once, report", res.Steps, res.Tasks)
	}
}

// The sample marks its lines: below "planted" everything is found, below "innocent" nothing is.
func TestSampleFindsWhatIsPlantedAndNothingElse(t *testing.T) {
	report := string(runGate(t, nil).Output)
	for _, rule := range []string{
		"aws-access-key", "generic-secret", "github-token", "url-password", "bidi-control", "confusable", "executable-binary", "go-replace-fork", "go-pseudo-version",
		"npm-install-script", "npm-any-version", "name-near", "lock-registry", "cargo-git", "cargo-patch", "pip-index", "pip-unpinned", "downgrade",
	} {
		if !strings.Contains(report, "`"+rule+"`") {
			t.Errorf("%s was not found", rule)
		}
	}
	for _, innocent := range []string{"EXAMPLE", "BILLING_TOKEN", "PASSWORD_FIELD", "6ba7b810", "CACHE_URL", "SESSION_SECRET", "SHA256", "админ", "Здравствуйте", "preact", "logo.png", "docs/", "setup.bat"} {
		if strings.Contains(report, innocent) {
			t.Errorf("%s was reported", innocent)
		}
	}
	for _, secret := range []string{"FAKEFAKE2DEMO234", "7Hq2vX9zLm4Tb8Rw1Yk6", "FakeFakeFake0NotARealOne", "fake-Passw0rd-77", "AnotherFakeOne"} {
		if strings.Contains(report, secret) {
			t.Errorf("the report shows the secret %s", secret)
		}
	}
}

func TestBatchesDoNotChangeTheReport(t *testing.T) {
	want := runGate(t, nil).Output
	patch, err := os.ReadFile("sample.patch")
	if err != nil {
		t.Fatal(err)
	}
	res := runGate(t, patch, "batch: 500", "batch: 1", "batch: 500", "batch: 3", "batch: 500", "batch: 7")
	if string(res.Output) != string(want) || res.Tasks <= 5 {
		t.Errorf("status %s (%v), %d tasks; got\n%s", res.Status, res.Err, res.Tasks, res.Output)
	}
}

func TestSARIF(t *testing.T) {
	patch, err := os.ReadFile("sample.patch")
	if err != nil {
		t.Fatal(err)
	}
	res := runGate(t, patch, "format: markdown", "format: sarif")
	var log struct {
		Version string
		Runs    []struct{ Results []struct{ RuleID string } }
	}
	if err := json.Unmarshal(res.Output, &log); err != nil || log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != 22 {
		t.Errorf("%v: got\n%s", err, res.Output)
	}
}

func TestFindingsFailTheRunAfterTheReport(t *testing.T) {
	patch, err := os.ReadFile("sample.patch")
	if err != nil {
		t.Fatal(err)
	}
	res := runGate(t, patch, "fail_on: none", "fail_on: high")
	if res.Status != "failed" || res.Err == nil || res.Err.Code != "findings" || !strings.HasPrefix(string(res.Output), "# Merge gate") {
		t.Errorf("status %s, error %v, output\n%s", res.Status, res.Err, res.Output)
	}
}

func TestOtherInput(t *testing.T) {
	cases := []struct{ name, patch, status, want string }{
		{"empty", "", "done", "0 files changed"},
		{"clean", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "done", "No findings."},
		{"no patch", "hello\n", "failed", "no diff in them"},
		{"truncated", "--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n-a\n", "failed", "the patch ends inside the hunk of line 3"},
		{"not UTF-8", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+\xff\xfe\x00\n", "done", "1 file changed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			res := runGate(t, []byte(c.patch))
			text := string(res.Output)
			if res.Err != nil {
				text += res.Err.Error()
			}
			if res.Status != c.status || !strings.Contains(text, c.want) {
				t.Errorf("status %s, %s; want %s with %q", res.Status, text, c.status, c.want)
			}
		})
	}
}

func TestALimitNamesTheLineToRaise(t *testing.T) {
	patch, err := os.ReadFile("sample.patch")
	if err != nil {
		t.Fatal(err)
	}
	res := runGate(t, patch, "input: 128MiB", "input: 1KiB")
	if res.Status != "failed" || res.Err == nil || !strings.Contains(res.Err.Error(), "limits.input") {
		t.Errorf("status %s, error %v; want one that names limits.input", res.Status, res.Err)
	}
}
