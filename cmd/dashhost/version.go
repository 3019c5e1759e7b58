package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/abi"
)

// version is what `dashhost version --json` prints.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the checkout it was built from
	Dirty    bool   `json:"dirty,omitempty"`    // the checkout had changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Wazero   string `json:"wazero,omitempty"`
	ABI      string `json:"abi"`
}

// buildVersion reads what the Go toolchain wrote into the program.
func buildVersion() version {
	v := version{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, ABI: abi.Module}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Dirty = s.Value == "true"
		}
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/tetratelabs/wazero" {
			v.Wazero = d.Version
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built with",
		Args:  args(""),
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			if a.flags.json {
				a.printJSON(v)
				return nil
			}
			a.printf("dashhost %s\n", v.Version)
			rows := [][]string{{"abi", v.ABI}, {"go", v.Go + " " + v.Platform}}
			if v.Wazero != "" {
				rows = append(rows, []string{"wazero", v.Wazero})
			}
			if v.Revision != "" {
				dirty := ""
				if v.Dirty {
					dirty = " with changes"
				}
				rows = append(rows, []string{"revision", v.Revision + dirty})
			}
			a.table(rows)
			return nil
		},
	}
}
