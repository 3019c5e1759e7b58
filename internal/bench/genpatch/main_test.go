package main

import (
	"bytes"
	"crypto/sha256"
	"os/exec"
	"strings"
	"testing"
)

func generate(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	return out.Bytes()
}

func TestSameFlagsSameBytes(t *testing.T) {
	a, b := generate(t, "-files", "200"), generate(t, "-files", "200")
	if sha256.Sum256(a) != sha256.Sum256(b) {
		t.Error("two runs differ")
	}
	if bytes.Equal(a, generate(t, "-files", "200", "-seed", "2")) {
		t.Error("the seed changes nothing")
	}
}

func TestCountsAreAsAsked(t *testing.T) {
	out := generate(t, "-files", "300", "-planted", "100")
	if n := bytes.Count(out, []byte("diff --git ")); n != 300 {
		t.Errorf("%d files, want 300", n)
	}
	if n := bytes.Count(out, []byte("ghp_")); n != 3 {
		t.Errorf("%d planted, want 3", n)
	}
	if n := bytes.Count(generate(t, "-files", "300", "-planted", "0"), []byte("ghp_")); n != 0 {
		t.Errorf("%d planted, want none", n)
	}
	if out := generate(t, "-files", "0"); len(out) != 0 {
		t.Errorf("%d bytes for no files", len(out))
	}
}

// Git is the judge of whether this is a patch: it counts files and lines without applying anything.
func TestGitReadsThePatch(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	cmd := exec.Command(git, "apply", "--numstat", "-")
	cmd.Dir = t.TempDir()
	cmd.Stdin = bytes.NewReader(generate(t, "-files", "100"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git apply --numstat: %v\n%s", err, out)
	}
	if n := strings.Count(string(out), "\n"); n != 100 {
		t.Errorf("git sees %d files, want 100", n)
	}
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"-files", "-1"}, {"-files", "x"}, {"-lines", "0"}, {"-nonsense"}} {
		var out, errs bytes.Buffer
		if code := run(args, &out, &errs); code != 2 || errs.Len() == 0 || out.Len() != 0 {
			t.Errorf("%v: exit code %d, %q", args, code, errs.String())
		}
	}
}
