package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/workflow"
)

// findManifest is the path of the manifest of a command whose argument may name one.
func (a *app) findManifest(args []string) (string, error) {
	arg := ""
	if len(args) > 0 {
		if arg = args[0]; arg == "" {
			return "", &usageError{Text: "manifest: the path is empty"}
		}
	}
	path, _, err := a.manifestPath(arg)
	if err != nil {
		return "", err
	}
	return path, checkManifest(path)
}

// errNotRegular is the cause when a pipe or device is named as manifest, which is read more than once.
var errNotRegular = errors.New("is not a regular file")

// checkManifest looks whether the manifest can be read, so that the fault names the argument.
func checkManifest(path string) error {
	if err := checkFile("manifest", path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return &fileError{What: "manifest", Path: path, Err: err}
	}
	return nil
}

// readManifest parses the manifest. With wasm it also looks into the modules; nothing is compiled.
func (a *app) readManifest(ctx context.Context, path string, wasm bool) (*workflow.Graph, []workflow.Fault, error) {
	if wasm {
		g, faults, err := host.Check(ctx, path, nil)
		if err == nil {
			err = a.checkSigned(g)
		}
		return g, faults, err
	}
	return workflow.Load(ctx, path, nil)
}

// manifestStore reads only where a manifest keeps its store, as written in it: "" if it does not say.
func manifestStore(path string) (string, error) {
	g, _, err := workflow.Load(context.Background(), path, nil)
	if err != nil {
		return "", err
	}
	return g.Store.URL, nil
}

// faultLines are faults as they are told, in the order of the manifest, each with its hint.
func faultLines(faults []workflow.Fault) []string {
	var lines []string
	for _, f := range faults {
		lines = append(lines, strings.Split(f.String(), "\n")...)
	}
	return lines
}

// completeManifest completes the one argument that may name a manifest.
func completeManifest(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
}

// insteadOf is the manifest in a folder that was named instead of it, "" if there is none.
func insteadOf(path string) string {
	inside := filepath.Join(path, defaultManifest)
	if _, err := os.Stat(inside); err != nil {
		return ""
	}
	return inside
}

func trimNewline[T string | []byte](s T) string { return strings.TrimRight(string(s), "\n") }

// jsonText is s as a JSON string.
func jsonText(s string) string {
	var b strings.Builder
	writeJSON(&b, s)
	return trimNewline(b.String())
}

// invalidText is an invalid manifest as a summary and a line for each fault and hint.
func invalidText(e *workflow.Invalid) (summary string, lines []string) {
	n := 0
	for _, f := range e.Faults {
		if f.Severity == workflow.Error {
			n++
		}
	}
	return fmt.Sprintf("%s: invalid manifest: %s", e.File, count(n, "fault")), faultLines(e.Faults)
}

// tellWarnings prints what a valid manifest should be looked at for.
func (a *app) tellWarnings(faults []workflow.Fault) {
	for _, l := range faultLines(faults) {
		a.talk.linef("%s", visible(l))
	}
}

// loadGraph makes a graph ready to run, and shows when that takes long.
func (a *app) loadGraph(ctx context.Context, h *host.Host, path string) (*host.Graph, error) {
	a.scene.manifest = path
	c := compiling{talk: a.talk}
	g, err := h.Load(ctx, path, &host.LoadOptions{Progress: c.progress})
	c.end()
	if err != nil {
		return nil, err
	}
	a.tellWarnings(g.Warnings())
	return g, nil
}
