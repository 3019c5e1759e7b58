package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// DefaultModuleBytes is how large a wasm file may be when no limits.module
// says otherwise.
const DefaultModuleBytes = 64 << 20

// inspect reads every module and lets Options.Inspect look at it. The error is
// ctx's.
func (b *builder) inspect(ctx context.Context, g *Graph) error {
	if b.options.Inspect == nil {
		return ctx.Err()
	}
	users := make(map[*Module][]*Node)
	for _, n := range g.Nodes {
		if n.Module != nil {
			users[n.Module] = append(users[n.Module], n)
		}
	}
	for i, e := range b.root.table("modules") {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !e.val.bad {
			b.inspectModule(g.Modules[i], e.val, users[g.Modules[i]])
		}
	}
	return ctx.Err()
}

func (b *builder) inspectModule(m *Module, v *value, users []*Node) {
	wasm, ok := b.readModule(m, v, users)
	if !ok {
		return
	}
	sum := sha256.Sum256(wasm)
	digest := hex.EncodeToString(sum[:])
	if v.has("sha256") && m.SHA256 != digest && !v.get("sha256").bad {
		b.fs.errorf(v.place("sha256"), "put the digest of the file that is meant, or build the module again", "%s.sha256: expected %s, found a file with %s", v.path, m.SHA256, digest)
	}
	m.SHA256 = digest
	if m.Signatures == nil && m.File != "" {
		m.Signatures = b.readSignatures(m.File, v)
	}
	found, info, err := b.options.Inspect(m, wasm)
	for _, f := range found {
		if f.Pos.Line == 0 {
			f.Pos = v.place("path")
		}
		b.fs.add(f)
	}
	if err != nil {
		b.fs.errorf(v.place("path"), "", "%s: %v", v.path, err)
	}
	if info == nil {
		return
	}
	m.Obstacles = info.Obstacles
	for _, n := range users {
		b.missingGrants(n, m, info)
		b.cannotReset(n, m)
	}
}

// cannotReset warns of a node that asks for what its module does not allow.
func (b *builder) cannotReset(n *Node, m *Module) {
	if n.Policy != "reset" || len(m.Obstacles) == 0 {
		return
	}
	v := b.root.get("nodes").entries[n.Index].val
	b.fs.add(Fault{
		Pos: v.place("policy"), Severity: Warning,
		Text: fmt.Sprintf("%s.policy: module %s cannot be put back (%s), so that each call gets a fresh instance", v.path, m.Name, m.Obstacles[0]),
		Hint: "write policy: fresh, or build the module without it",
	})
}

// readModule reads the bytes of a module, no more than the largest limit of
// the nodes that use it.
func (b *builder) readModule(m *Module, v *value, users []*Node) ([]byte, bool) {
	name := m.File
	if name == "" {
		if m.SHA256 == "" {
			return nil, false // reported: neither path nor sha256
		}
		name = "sha256:" + m.SHA256
	}
	max, at := int64(0), v.key
	for _, n := range users {
		if n.Limits.Module > max {
			max, at = n.Limits.Module, n.Limits.Places["module"]
		}
	}
	if max == 0 {
		max = DefaultModuleBytes
	}
	wasm, err := b.options.ReadFile(name, max)
	place := v.place("path")
	switch {
	case err == nil && int64(len(wasm)) <= max:
		return wasm, true
	case err == nil, errors.Is(err, ErrTooLarge):
		b.fs.errorf(place, fmt.Sprintf("raise limits.module at %s", at), "%s.path: expected at most %d bytes, found more", v.path, max)
	case errors.Is(err, fs.ErrNotExist) && m.Path == "":
		b.fs.errorf(v.place("sha256"), "add a path", "%s: no file is named, and no store has the module", v.path)
	case errors.Is(err, fs.ErrNotExist):
		b.fs.errorf(place, buildHint(m), "%s.path: expected a file, found none at %s", v.path, name)
	default:
		b.fs.errorf(place, "", "%s.path: %s: %v", v.path, name, cause(err))
	}
	return nil, false
}

// maxSignatures is how large a signature file may be, in bytes.
const maxSignatures = 16 << 10

// readSignatures reads the lines of the file beside a module, none if there is no such file. What they say is for
// Options.Inspect to judge.
func (b *builder) readSignatures(file string, v *value) []string {
	text, err := b.options.ReadFile(file+".sig", maxSignatures)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	place := v.place("path")
	if errors.Is(err, ErrTooLarge) || len(text) > maxSignatures {
		b.fs.errorf(place, "", "%s.path: %s.sig: expected at most %d bytes, found more", v.path, file, maxSignatures)
		return nil
	}
	if err != nil {
		b.fs.errorf(place, "", "%s.path: %s.sig: %v", v.path, file, cause(err))
		return nil
	}
	var lines []string
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimSpace(l); l == "" || l[0] == '#' {
			continue
		}
		if expected, hint := v.shape.field("signatures").shape.elem.text.check(l); expected != "" {
			b.fs.errorf(place, hint, "%s.path: %s.sig: expected %s a line", v.path, file, expected)
			return nil
		}
		lines = append(lines, l)
	}
	return lines
}

func buildHint(m *Module) string {
	if m.Build != nil {
		return "dashhost build makes it"
	}
	return "paths are relative to the manifest"
}

// missingGrants reports what a module may call and its node does not grant.
func (b *builder) missingGrants(n *Node, m *Module, info *ModuleInfo) {
	v := b.root.get("nodes").entries[n.Index].val
	needed := slices.Clone(info.Grants)
	slices.Sort(needed)
	for _, grant := range slices.Compact(needed) {
		if n.holds(grant) {
			continue
		}
		f := Fault{
			Pos:      v.key,
			Severity: Warning,
			Text:     fmt.Sprintf("%s: module %s imports functions that need the grant %s, which is missing", v.path, m.Name, grant),
			Hint:     "a call will be denied; add " + grantLine(grant),
		}
		if n.StrictImports {
			f.Severity = Error
		}
		if v.has("grants") {
			f.Pos = v.get("grants").key
		}
		b.fs.add(f)
	}
}

// grantLine is how a grant is written.
func grantLine(grant string) string {
	switch grant {
	case "interrupts":
		return "interrupts: true to the node"
	case "clock", "random", "checkpoint":
		return "grants: {" + grant + ": true}"
	}
	return strings.TrimSpace("grants: {" + grant + ": {...}}")
}
