// Package workflow turns a manifest into a validated, immutable Graph.
//
// A manifest is one YAML document (JSON is YAML too); manifest.md beside this
// file describes every field. Reading is strict and reports every fault in one
// pass, each with its place:
//
//	bytes --source--> YAML nodes    size, encoding, one document, no aliases or tags
//	      --reader--> values        by the shapes of grammar.go: fields, types, units, ranges
//	      --builder-> Graph         names resolved, defaults filled in, conditions and schemas compiled
//	      --check---> Graph         edges, reachability, rivals for a channel, what excludes each other
//	      --inspect-> Graph         wasm files, through Options.Inspect
//
// The tree of shapes in grammar.go is the only list of fields. From it come
// the parser, the canonical form that a run is pinned to (Graph.Canonical), the
// published JSON Schema (JSONSchema) and the test of manifest.md.
//
// Conditions are CEL over channels (condition.go); they look at raw JSON as far
// as they need it and within bounds (value.go). Channel schemas are JSON
// Schema (schema.go).
//
// This package knows no engine, no store and no wasm runtime: what can be said
// about a wasm file comes through Options.Inspect.
package workflow
