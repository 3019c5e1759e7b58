package main

import (
	"github.com/spf13/cobra"
)

// maxModule is the largest module that is read, whatever it is.
const maxModule = 256 << 20

func (a *app) moduleCommand() *cobra.Command {
	c := a.group("module", "Look into a WebAssembly module, sign it, or call it on its own")
	c.AddCommand(a.moduleInspectCommand(), a.moduleCallCommand(), a.moduleKeygenCommand(), a.moduleSignCommand(), a.moduleVerifyCommand())
	return c
}

// completeModule completes a wasm file.
func completeModule(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"wasm"}, cobra.ShellCompDirectiveFilterFileExt
}
