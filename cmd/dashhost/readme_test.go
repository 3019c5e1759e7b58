package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEverySettingHasItsScript: each row of README's table of settings links to the script that tests it, and each such script
// has a row.
func TestEverySettingHasItsScript(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(readme), "| setting |")
	if !ok {
		t.Fatal("README.md has no table that begins with a column called setting")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	row := regexp.MustCompile(`^\| \[([a-z ]+)\]\(cmd/dashhost/(testdata/script/setting_[a-z_]+\.txtar)\) \|`)
	var linked []string
	for _, line := range strings.Split(table, "\n")[2:] {
		m := row.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("the row has no link to a script: %s", line)
			continue
		}
		linked = append(linked, m[2])
		if want := "testdata/script/setting_" + strings.ReplaceAll(m[1], " ", "_") + ".txtar"; m[2] != want {
			t.Errorf("row %s: links to %s, want %s", m[1], m[2], want)
		}
	}
	scripts, err := filepath.Glob("testdata/script/setting_*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := range scripts {
		scripts[i] = filepath.ToSlash(scripts[i])
	}
	slices.Sort(linked)
	if !slices.Equal(linked, scripts) {
		t.Errorf("rows link to %q, scripts are %q", linked, scripts)
	}
}
