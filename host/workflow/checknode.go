package workflow

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

func (b *builder) checkNode(g *Graph, n *Node, v *value) {
	b.checkData(g, n, v)
	b.checkKind(n, v)
	if v.has("deadline") && v.get("limits").has("deadline") {
		b.fs.errorf(v.get("deadline").key, "keep one of them", "%s: deadline is also set as limits.deadline", v.path)
	}
	if v.has("reuse_max") && n.Policy != "reuse" {
		b.fs.errorf(v.get("reuse_max").key, "add policy: reuse, or remove it", "%s: reuse_max belongs to policy reuse, found %s", v.path, orDefault(n.Policy))
	}
	if r := v.get("retry"); r != nil && n.Retry.Max < n.Retry.Initial && !r.get("max").bad && !r.get("initial").bad {
		b.fs.errorf(r.place("max"), "", "%s.retry.max: expected at least the initial wait %s, found %s", v.path, n.Retry.Initial, n.Retry.Max)
	}
	if n.OnError != "" && n.OnError == n.Name {
		b.fs.errorf(v.place("on_error"), "name another node", "%s.on_error: expected another node, found the node itself", v.path)
	}
	if h := v.get("grants").get("http"); h.get("allow") != nil {
		for _, u := range h.get("allow").items {
			if bad := checkAllowed(u.text); bad != "" && !u.bad {
				b.fs.errorf(u.pos, "such as https://api.example.org/v1/*", "%s: %s", u.path, bad)
			}
		}
	}
}

func orDefault(policy string) string {
	if policy == "" {
		return "the default"
	}
	return policy
}

// checkData looks at what goes into a node and comes out of it.
func (b *builder) checkData(g *Graph, n *Node, v *value) {
	raw := v.get("raw")
	for _, pair := range [][2]string{{"in", "reads"}, {"out", "writes"}, {"in", "each"}} {
		if raw.has(pair[0]) && v.has(pair[1]) {
			b.fs.errorf(v.get(pair[1]).key, "keep one of them", "%s: %s and raw.%s exclude each other", v.path, pair[1], pair[0])
		}
	}
	if n.Each == nil {
		return
	}
	c := g.Channel(n.Each.Over)
	if c == nil {
		return
	}
	over := v.get("each").get("over")
	switch c.Reduce {
	case ReduceMerge, ReduceAdd, ReduceMax, ReduceMin:
		b.fs.errorf(over.pos, "go over a channel that reduces by append, union, value or first", "%s: expected a channel that holds a list, found %s, which reduces by %s", over.path, c.Name, c.Reduce)
		return
	}
	if types := c.Schema.types(); len(types) > 0 && !slices.Contains(types, "array") {
		b.fs.errorf(over.pos, "", "%s: expected a channel that holds a list, found %s, whose schema wants %s", over.path, c.Name, strings.Join(types, " or "))
	}
}

// types returns what the schema's root says about type; nil = nothing.
func (s *Schema) types() []string {
	if s == nil {
		return nil
	}
	var root struct {
		Type json.RawMessage `json:"type"`
	}
	var one string
	var many []string
	if json.Unmarshal(s.Source, &root) != nil || root.Type == nil {
		return nil // a schema may be true or false
	}
	if json.Unmarshal(root.Type, &one) == nil {
		return []string{one}
	}
	if json.Unmarshal(root.Type, &many) == nil {
		return many
	}
	return nil
}

// checkKind looks for fields that the kind of a node has no use for.
func (b *builder) checkKind(n *Node, v *value) {
	var useless []string
	var kind string
	switch {
	case v.has("wait"):
		kind = "wait"
		useless = []string{"reads", "writes", "raw", "each", "config", "deadline", "limits", "retry", "on_error", "policy", "instances", "interrupts", "durable", "cache", "strict_imports", "grants"}
	case v.has("workflow"):
		kind = "workflow"
		useless = []string{"raw", "config", "policy", "instances", "interrupts", "durable", "strict_imports", "grants"}
	case v.has("native"):
		kind = "native"
		useless = []string{"policy", "instances", "strict_imports"}
		b.checkNative(n, v)
	}
	for _, name := range useless {
		if v.has(name) {
			b.fs.errorf(v.get(name).key, "remove it", "%s: %s has no meaning for a %s node", v.path, name, kind)
		}
	}
}

func (b *builder) checkNative(n *Node, v *value) {
	known := b.options.Natives
	if known == nil || v.get("native").bad || slices.Contains(known, n.Native) {
		return
	}
	b.fs.errorf(v.place("native"), didYouMean(n.Native, known), "%s.native: expected a function that the embedding program offers, found %q", v.path, n.Native)
}

// checkAllowed says what is wrong with a URL of an http grant.
func checkAllowed(text string) string {
	u, err := url.Parse(strings.TrimSuffix(text, "*"))
	switch {
	case err != nil:
		return "expected a URL, found " + fmt.Sprintf("%q", clip(text, 60))
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("expected http: or https:, found %s:", u.Scheme)
	case u.Hostname() == "" || strings.Contains(strings.TrimPrefix(u.Host, "*."), "*"):
		return fmt.Sprintf(`expected a host, which may start with "*.", found %q`, clip(text, 60))
	case u.User != nil:
		return "expected a URL without user and password"
	case u.RawQuery != "" || u.Fragment != "":
		return "expected a URL without query and fragment"
	case strings.Contains(u.Path, "*"):
		return fmt.Sprintf(`expected "*" at the end only, found %q`, clip(text, 60))
	case strings.HasSuffix(text, "*") && u.Path == "":
		return fmt.Sprintf(`expected "/" before "*", found %q`, clip(text, 60))
	}
	return ""
}
