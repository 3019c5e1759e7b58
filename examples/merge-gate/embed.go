// Package mergegate is the example as files that a program can carry: the manifest, the modules and a patch to try it on. Its
// tests run it as it is committed, on the real host; testdata/report.md is what README's first command prints.
package mergegate

import "embed"

// files is what the example needs to run. The sources of its nodes are not among it: they are a Go module of their own, which go
// install does not fetch and embed does not enter.
//
//go:embed workflow.yaml review.yaml sample.patch README.md wasm/*.wasm
var files embed.FS

// Files returns the example as it is committed. The result is read only and safe for concurrent use.
func Files() embed.FS { return files }
