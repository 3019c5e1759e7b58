package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest"
)

func (a *app) moduleInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Print what a module imports, exports and needs, and whether it is accepted",
		Long: `Print what a module imports, exports and needs. A module that no node could use is refused: the reason is printed and
the exit code is 1. Nothing of the module is compiled or run.`,
		Args:              args("FILE"),
		ValidArgsFunction: completeModule,
		RunE: func(c *cobra.Command, args []string) error {
			wasm, err := a.readFile(c.Context(), "module", args[0], maxModule)
			if err != nil {
				return err
			}
			return a.inspectModule(args[0], wasm)
		},
	}
}

// moduleView is what module inspect --json prints.
type moduleView struct {
	File       string       `json:"file"`
	SHA256     string       `json:"sha256"`
	Bytes      int          `json:"bytes"`
	Accepted   bool         `json:"accepted"`
	Refused    string       `json:"refused,omitempty"` // why
	Hint       string       `json:"hint,omitempty"`
	Kind       string       `json:"kind,omitempty"`
	Memory     *memoryView  `json:"memory,omitempty"`
	Imports    []importView `json:"imports,omitempty"`
	Exports    []string     `json:"exports,omitempty"`
	Grants     []string     `json:"grants,omitempty"` // that its imports can use
	Features   []string     `json:"features,omitempty"`
	Initialize bool         `json:"initialize,omitempty"`
	Start      bool         `json:"start,omitempty"`
	Functions  int          `json:"functions,omitempty"`
	CodeBytes  int64        `json:"code_bytes,omitempty"`
	DataBytes  int64        `json:"data_bytes,omitempty"`
	Policy     string       `json:"policy,omitempty"`    // that a node gets which does not ask for another
	Obstacles  []string     `json:"obstacles,omitempty"` // why that is not reset
}

type memoryView struct {
	Min int64 `json:"min_bytes"`
	Max int64 `json:"max_bytes"`
}

type importView struct {
	Module string `json:"module"`
	Name   string `json:"name"`
}

// inspectModule prints what can be said of a module; a refused one has little beside the reason.
func (a *app) inspectModule(path string, wasm []byte) error {
	sum := sha256.Sum256(wasm)
	v := &moduleView{File: path, SHA256: hex.EncodeToString(sum[:]), Bytes: len(wasm)}
	info, err := guest.Inspect(wasm, nil)
	var refused *guest.LoadError
	switch {
	case errors.As(err, &refused):
		v.Hint, v.Refused = refused.Hint, refusal(refused)
	case err != nil:
		return err
	default:
		v.describe(info)
	}
	if a.flags.json {
		a.printJSON(v)
	} else {
		a.printModule(v)
	}
	if !v.Accepted {
		return &exitError{code: exitFailed}
	}
	return nil
}

// refusal is the text of an error without the hint, which is told on its own.
func refusal(e *guest.LoadError) string {
	own := *e
	own.Hint = ""
	return own.Error()
}

func (v *moduleView) describe(i *guest.Info) {
	v.Accepted, v.Kind, v.Exports, v.Features = true, i.Kind, i.Exports, i.Features
	v.Memory = &memoryView{Min: int64(i.Memory.MinPages) * guest.PageSize, Max: int64(i.Memory.MaxPages) * guest.PageSize}
	v.Initialize, v.Start = i.HasInitialize, i.HasStart
	v.Policy, v.Obstacles = string(guest.PolicyReset), i.Obstacles
	if len(i.Obstacles) > 0 {
		v.Policy = string(guest.PolicyFresh)
	}
	v.Functions, v.CodeBytes, v.DataBytes = i.Functions, i.CodeBytes, i.DataBytes
	for _, imp := range i.Imports {
		v.Imports = append(v.Imports, importView(imp))
	}
	for _, g := range i.Grants {
		v.Grants = append(v.Grants, string(g))
	}
}

func (a *app) printModule(v *moduleView) {
	rows := [][]string{{"file", v.File}, {"size", bytesText(int64(v.Bytes))}, {"sha256", v.SHA256}}
	add := func(name, value string) { rows = append(rows, []string{name, visible(value)}) }
	if !v.Accepted {
		add("refused", v.Refused)
		if v.Hint != "" {
			add("hint", v.Hint)
		}
		a.table(rows)
		return
	}
	add("kind", v.Kind)
	add("memory", fmt.Sprintf("%s to %s", bytesText(v.Memory.Min), bytesText(v.Memory.Max)))
	add("code", fmt.Sprintf("%s in %s, %s of data", bytesText(v.CodeBytes), count(v.Functions, "function"), bytesText(v.DataBytes)))
	add("start", orDash(strings.Join(v.startPhase(), " ")))
	policy := v.Policy
	if len(v.Obstacles) > 0 {
		policy += ", as it cannot be put back: " + strings.Join(v.Obstacles, "; ")
	}
	add("policy", policy)
	add("exports", strings.Join(v.Exports, " "))
	for _, module := range v.importModules() {
		var names []string
		for _, i := range v.Imports {
			if i.Module == module {
				names = append(names, i.Name)
			}
		}
		add("imports", module+": "+strings.Join(names, " "))
	}
	add("features", orDash(strings.Join(v.Features, " ")))
	add("may use", orDash(strings.Join(v.Grants, " ")))
	a.table(rows)
}

// startPhase names what runs before the first call.
func (v *moduleView) startPhase() []string {
	var names []string
	if v.Initialize {
		names = append(names, abi.ExportInitialize)
	}
	if v.Start {
		names = append(names, abi.ExportStart)
	}
	return names
}

func (v *moduleView) importModules() []string {
	var modules []string
	for _, i := range v.Imports {
		if !slices.Contains(modules, i.Module) {
			modules = append(modules, i.Module)
		}
	}
	return modules
}
