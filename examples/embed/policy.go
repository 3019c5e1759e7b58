package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/dashhost/dashhost/host"
)

// owners maps path prefixes to the team that must agree with a change. Here it is a literal; in your program it comes
// from wherever you keep such things, and no module gets to see it.
type owners map[string]string

type file struct {
	Path   string `json:"path"`
	Status string `json:"status"`
}

type finding struct {
	ID       string `json:"id"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Path     string `json:"path"`
	Message  string `json:"message"`
}

// batch is the input of a node with `each` and `batch`: some of the files.
type batch struct {
	Item []file `json:"item"`
}

type findings struct {
	Findings []finding `json:"findings"`
}

// policy reports files that belong to somebody else. It stands in the graph beside the modules, with the same input
// and output as they have.
func policy(of owners) host.Node {
	return host.Func(func(t *host.Task, in batch) (findings, error) {
		out := findings{Findings: []finding{}}
		for _, f := range in.Item {
			for prefix, team := range of {
				if !strings.HasPrefix(f.Path, prefix) {
					continue
				}
				t.Logger().Debug("owned", "path", f.Path, "team", team)
				out.Findings = append(out.Findings, finding{
					ID: id(prefix, f.Path), Rule: "owner", Severity: "medium", Path: f.Path, Message: f.Status + ": " + team + " must agree",
				})
			}
		}
		return out, nil
	})
}

// id is the same for the next push of the same change.
func id(prefix, path string) string {
	sum := sha256.Sum256([]byte("owner\x00" + prefix + "\x00" + path))
	return hex.EncodeToString(sum[:8])
}
