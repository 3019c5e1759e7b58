// Command split is the first node of merge-gate: it takes a unified diff apart,
// file by file, so that checks can look at batches of files in parallel.
//
// It reads the channel patch (a JSON string) and writes
//
//	findings!  []                    a turn starts with no findings
//	files      [{"path": "a b.go",       new path; the old one of a deleted file
//	             "old": "c.go",          renamed and copied files only
//	             "status": "modified",   added, deleted, modified, renamed, copied
//	             "mode": "100755",       only when the patch says it
//	             "old_mode": "100644",   only when it changed
//	             "binary": true,         no text to look at
//	             "size": 1234,           bytes of binary data in the patch, if there
//	             "added": [{"line": 7,   runs of added lines: number of the first in
//	                        "text": "x\ny"}],                the new file, and text
//	             "hunks": [{"line": 4,   whole hunks with their prefixes, of files
//	                        "text": " ctx\n-a\n+b"}]}]      named in config.context
//	change     {"files": 2, "binary": 1, "added": 12, "removed": 3,
//	            "context": ["go.mod"]}   counts, and the files with hunks
//
// The patch may be 100 MB: it is unescaped in place, read once, and the output is
// written while reading. Nothing is kept but the input and the output.
package main

import (
	"encoding/json"
	"path"

	dash "github.com/dashhost/dashhost/sdk/go"
)

// Config of the node in the manifest.
type Config struct {
	// Context lists patterns of base names, as of path.Match, whose hunks are
	// passed on whole, for checks that need removed and unchanged lines.
	Context []string `json:"context"`
}

var node = dash.Serve(dash.RawConfigured(setup))

func main() {}

func setup(config []byte) (func(*dash.Call, []byte) ([]byte, error), error) {
	var cfg Config
	if len(config) > 0 {
		if err := json.Unmarshal(config, &cfg); err != nil {
			return nil, dash.Fatal("bad_config", "config: "+err.Error())
		}
	}
	for _, p := range cfg.Context {
		if _, err := path.Match(p, ""); err != nil {
			return nil, dash.Fatal("bad_config", "config: context: "+p+": "+err.Error())
		}
	}
	return func(c *dash.Call, input []byte) ([]byte, error) {
		patch, err := textMember(input, "patch")
		if err != nil {
			return nil, dash.Fatal("bad_input", "channel patch: "+err.Error())
		}
		out, err := split(patch, cfg.Context)
		if err != nil {
			return nil, dash.Fatal("bad_patch", "patch "+err.Error())
		}
		return out, nil
	}, nil
}
