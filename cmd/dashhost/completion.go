package main

import (
	"github.com/spf13/cobra"
)

var shells = []string{"bash", "fish", "powershell", "zsh"}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|fish|powershell|zsh",
		Short: "Print a script that completes commands, flags and thread ids in a shell",
		Example: `  source <(dashhost completion bash)
  dashhost completion zsh > "${fpath[1]}/_dashhost"
  dashhost completion fish > ~/.config/fish/completions/dashhost.fish`,
		Args:              args("SHELL"),
		ValidArgsFunction: cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			}
			return &usageError{Text: "shell " + args[0] + ": not one of bash, fish, powershell, zsh"}
		},
	}
}
